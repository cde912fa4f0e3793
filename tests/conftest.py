"""What holds for every test."""

import sys

import pytest


@pytest.fixture(autouse=True)
def same_numbers_each_time():
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_num_threads(1)  # tiny models: a second thread would mostly wait
