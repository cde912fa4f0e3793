"""What is picked on which machine: device, precision, budget; modes and seeds."""

import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vit_minimal.device import (
    autocast,
    check_finite,
    describe_device,
    evaluating,
    pick_budget,
    pick_device,
    pick_precision,
    random_state_kept,
    seed_everything,
)

PROBES = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@pytest.fixture
def machine(monkeypatch):
    """A machine with just what is asked for."""

    def have(cuda=False, mps=False, capability=(9, 0), cpu_bf16=()):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Tesla T4")
        memory = SimpleNamespace(total_memory=15 * 2**30)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: memory)
        for probe in PROBES:
            monkeypatch.setattr(torch.cpu, probe, lambda has=probe in cpu_bf16: has, raising=False)

    monkeypatch.delenv("VIT_MINIMAL_BUDGET", raising=False)
    have()
    return have


# --- device and precision -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cuda, mps, best",
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_best_device_is_picked(machine, cuda, mps, best):
    machine(cuda=cuda, mps=mps)
    assert pick_device() == torch.device(best)


def test_named_device_is_taken(machine):
    machine(cuda=True)
    assert pick_device("cpu") == pick_device(torch.device("cpu")) == torch.device("cpu")
    assert pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    "gpu, capability, dtype",
    [
        ("P100", (6, 0), torch.float16),
        ("T4", (7, 5), torch.float16),
        ("A100", (8, 0), torch.bfloat16),
        ("L4", (8, 9), torch.bfloat16),
        ("H200", (9, 0), torch.bfloat16),
        ("B200", (10, 0), torch.bfloat16),
    ],
)
def test_gpu_gets_the_precision_it_multiplies(machine, gpu, capability, dtype):
    machine(cuda=True, capability=capability)
    assert pick_precision("cuda") == pick_precision(torch.device("cuda", 0)) == dtype


@pytest.mark.parametrize("has", [*([probe] for probe in PROBES), PROBES], ids=str)
def test_cpu_that_multiplies_bfloat16_gets_it(machine, has):
    machine(cpu_bf16=has)
    assert pick_precision("cpu") == torch.bfloat16


def test_other_devices_get_float32(machine, monkeypatch):
    assert pick_precision("cpu") == pick_precision("mps") == torch.float32
    for probe in PROBES:
        monkeypatch.delattr(torch.cpu, probe)
    assert pick_precision("cpu") == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_matrix_products_run_in_the_precision_and_only_inside(precision):
    x = torch.ones(2, 2)
    with autocast("cpu", precision):
        assert (x @ x).dtype == precision
    with autocast(torch.device("cpu"), precision):
        assert torch.nn.Linear(2, 2)(x).dtype == precision
    assert (x @ x).dtype == torch.float32
    for outside in (torch.float16, torch.bfloat16):
        with torch.autocast("cpu", outside):
            with autocast("cpu", precision):
                assert (x @ x).dtype == precision
            assert (x @ x).dtype == outside


@pytest.mark.parametrize(
    "device, words",
    [("cuda:0", r"cuda \(Tesla T4, 15 GiB\)"), ("mps", "mps"), ("cpu", r"cpu, \d+ threads?")],
)
def test_device_is_described_in_a_few_words(machine, device, words):
    machine(cuda=True)
    assert re.fullmatch(words, describe_device(torch.device(device)))


# --- seeds and budget -----------------------------------------------------------------------------


def draws(seed):
    seed_everything(seed)
    return random.random(), float(np.random.random()), torch.rand(()).item()


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_seed_fixes_every_generator(seed):
    first, again, other = draws(seed), draws(seed), draws(seed + 1)
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_generator_goes_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(3)
    undisturbed = torch.rand(2)
    torch.manual_seed(3)
    with random_state_kept():
        seed_everything(7)
        torch.rand(5)
    assert torch.equal(torch.rand(2), undisturbed)


@pytest.mark.parametrize("cuda, budget", [(True, "full"), (False, "quick")])
def test_budget_depends_on_the_gpu_unless_it_is_set(machine, monkeypatch, cuda, budget):
    machine(cuda=cuda)
    assert pick_budget() == budget
    for chosen in ("quick", "full"):
        monkeypatch.setenv("VIT_MINIMAL_BUDGET", chosen)
        assert pick_budget() == chosen


def test_unknown_budget_is_named_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_BUDGET", "fast")
    with pytest.raises(ValueError, match=r"VIT_MINIMAL_BUDGET.*'quick', 'full'.*'fast'"):
        pick_budget()


# --- evaluation mode ------------------------------------------------------------------------------


def test_after_evaluating_each_module_is_in_the_mode_it_was_in():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout())
    for frozen in ([], [1], [0, 1]):
        model.train()
        for index in frozen:
            model[index].eval()
        modes = [module.training for module in model.modules()]
        with pytest.raises(ZeroDivisionError), evaluating(model):
            assert not any(module.training for module in model.modules())
            _ = 1 / 0
        assert [module.training for module in model.modules()] == modes


# --- logits ---------------------------------------------------------------------------------------


def test_logits_of_which_a_class_can_be_chosen_come_back_as_they_are():
    logits = torch.tensor([[1.0, -2.0], [-torch.inf, 60_000.0]])  # −∞ leaves a class out
    assert check_finite(logits) is logits


@pytest.mark.parametrize("row", [[torch.nan, 1], [1, torch.inf], [-torch.inf, -torch.inf]])
def test_logits_that_choose_no_class_are_refused_with_their_number_and_a_remedy(row):
    with pytest.raises(FloatingPointError, match=r"logits of 1 of 3 images are not finite: wait$"):
        check_finite(torch.tensor([[0.0, 1.0], row, [2.0, -torch.inf]]), ": wait")
