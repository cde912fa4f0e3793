"""What holds for every test; a web server of which the tests decide how it misbehaves; a browser."""

import contextlib
import re
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture(autouse=True)
def same_numbers_each_time():
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_num_threads(1)  # tiny models: a second thread would mostly wait


class Handler(BaseHTTPRequestHandler):
    """Answers with what `server.pages` holds for the path: bytes, a raw answer, or a function."""

    def do_GET(self):
        asked_range = self.headers.get("Range")
        self.server.asked.append((self.path, asked_range))
        self.server.over.wait(self.server.delay)
        answer = self.server.pages.get(self.path)
        with contextlib.suppress(ConnectionError):  # whoever asked may be gone
            if answer is None:
                self.send_error(404)
            elif isinstance(answer, tuple):
                self.wfile.write(answer[0])
            elif callable(answer):
                answer(self)
            else:
                self.send_file(answer, asked_range if self.server.ranges else None)

    def send_file(self, content, asked_range):
        start = int(re.fullmatch(r"bytes=(\d+)-", asked_range)[1]) if asked_range else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked_range else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.server.sent += len(content) - start
        self.wfile.write(content[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server on this machine; `asked` holds what was asked for: path and Range."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.pages, server.asked, server.sent = {}, [], 0
        server.ranges, server.delay, server.over = True, 0.0, threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        # Chromium's sandbox refuses to start for root, as which containers often run
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
