"""Where the model lies that comes with the course: what other benchmarks look into, not one itself."""

from pathlib import Path

CHECKPOINT = Path(__file__).resolve().parents[1] / "data/checkpoints/cifar10-cpu-long.safetensors"
