"""What holds for every test."""

import sys

import pytest


@pytest.fixture(autouse=True)
def same_random_numbers_each_time():
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
