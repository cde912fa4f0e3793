"""A Vision Transformer from scratch."""
