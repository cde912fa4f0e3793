"""What holds before any test: each worker's share of the cores, and the tests that run on demand."""

import os

# Before torch is imported: with as many threads in each worker as there are cores, the workers
# wait for one another most of the time.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))

# Marks of tests that only an option of the same name runs, and then nothing else is run
ON_DEMAND = {
    "browser": "notebooks in a real JupyterLab, driven in headless Chromium (minutes)",
    "colab": "the set-up cell in an environment like Colab's (downloads 3 GB)",
}


def pytest_addoption(parser):
    for name, what in ON_DEMAND.items():
        parser.addoption(f"--{name}", action="store_true", help=f"run these tests alone: {what}")


def pytest_configure(config):
    for name, what in ON_DEMAND.items():
        config.addinivalue_line("markers", f"{name}: {what}")


def pytest_collection_modifyitems(config, items):
    asked = {name for name in ON_DEMAND if config.getoption(name)}
    chosen, others = [], []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()} & ON_DEMAND.keys()
        (chosen if marks & asked or not (marks or asked) else others).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=others)
