"""Set before torch is imported: each test worker gets its share of the cores.

With as many threads in each as there are cores, the workers wait for one another most of the time.
"""

import os

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
