"""Stopping between two steps: what Ctrl+C and `kill` ask of a training run."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def stop_requests(patient=False):
    """A list to which SIGINT and SIGTERM add themselves, so that no step is cut in two: that would
    leave weights that are worth nothing. The second one interrupts at once, unless `patient`: where
    torchrun is, it may pass on what the terminal has sent already.
    """
    requests = []

    def remember(number, frame):
        if requests and not patient:
            raise KeyboardInterrupt
        requests.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield requests  # signals reach the main thread only
        return
    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
