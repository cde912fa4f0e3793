"""Fetch a file from the first of several sources that gives it whole, and hand it on in a room."""

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import socket
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tqdm import tqdm

SILENCE = 20  # seconds without a byte after which the next source is tried
SLOWEST = 200_000  # bytes per second, over WINDOW seconds, that a source must reach
WINDOW = 10
CHUNK = 1 << 16


def fetch(urls, target, md5):
    """Make `target` the file with this MD5, from the first of `urls` that has it whole.

    A source that is silent or slow is left for the next one; if none is better, the slow ones get
    another chance. What came stays in `target`.part, and the next source, or the next call, goes on
    from there; `target` appears only when its MD5 is right. Anything whole but wrong is set aside
    as `target`.wrong.

    OSError names what each source did wrong, or says that the disk is full or may not be written;
    KeyboardInterrupt says what was kept.
    """
    target, failures = Path(target), []
    unfinished = target.with_name(target.name + ".part")
    attempts = [(url, 0 if url == urls[-1] else SLOWEST) for url in urls]
    with _disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    for url, slowest in attempts:
        try:
            _try_source(url, unfinished, slowest, target, md5)
            return
        except _SourceFails as error:
            failures.append(f"{url}: {error}")
            if isinstance(error, _TooSlow):  # comes last now, when none is better
                attempts.append((url, 0))
        except KeyboardInterrupt:
            kept = unfinished.stat().st_size / 1e6 if unfinished.exists() else 0
            text = (
                f"interrupted: the first {kept:.0f} MB are in {unfinished}, the next call goes on"
            )
            raise KeyboardInterrupt(text) from None
    raise OSError(
        f"{target.name} could not be downloaded. Connect to the network and try again, or put it "
        f"into {target.parent}. Tried " + "; ".join(failures)
    )


def _try_source(url, unfinished, slowest, target, md5):
    """Make `target`, or raise what the source did wrong. What is whole but wrong is set aside."""
    try:
        came, went_on = _receive(url, unfinished, slowest)
    except _SourceFails:
        came, went_on = unfinished, False
        if not has_md5(came, md5):  # it may have lied about the length only
            raise
    if went_on and not has_md5(came, md5):  # is what an earlier source sent wrong?
        set_aside(came, target)
        came, _ = _receive(url, unfinished, slowest)
    if not has_md5(came, md5):
        set_aside(came, target)
        raise _SourceFails(f"wrong MD5, what came is set aside as {target.name}.wrong")
    with _disk(target):
        os.replace(came, target)
        unfinished.unlink(missing_ok=True)


class _SourceFails(Exception):
    """Why the next source is worth a try; a fault of this machine's disk is none of these."""


class _TooSlow(_SourceFails):
    pass


@contextlib.contextmanager
def _source():
    try:
        yield
    except urllib.error.HTTPError as error:
        raise _SourceFails(f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or repr(error)
        raise _SourceFails(reason) from error


@contextlib.contextmanager
def _disk(path):
    try:
        yield
    except OSError as error:
        there = next(place for place in path.absolute().parents if place.exists())
        raise OSError(
            f"{path} cannot be written ({error.strerror}); {shutil.disk_usage(there).free / 1e6:,.0f}"
            " MB are free there. Make room, or name another folder in VIT_MINIMAL_DATA; what came "
            "is kept"
        ) from error


def _receive(url, path, slowest):
    """Append to `path` what it lacks; returns the path of all that came, and whether it went on.

    A server that sends the whole file instead writes beside `path`, and replaces it only when it
    has sent more.
    """
    have = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "vit_minimal"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with _source():
            response = urllib.request.urlopen(request, timeout=SILENCE)
    except _SourceFails as failure:
        if have and getattr(failure.__cause__, "code", None) == 416:  # there is nothing after it
            return path, True
        raise
    goes_on = have > 0 and response.status == 206
    into = path if goes_on or not have else path.with_name(path.name + ".anew")
    start = have if goes_on else 0
    total = None if response.length is None else start + response.length
    bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=path.stem)
    try:
        with response, bar, _disk(into), open(into, "ab" if goes_on else "wb") as file:
            _copy(response, file, bar, slowest)
            size = file.tell()
        if total is not None and size < total:
            raise _SourceFails(f"cut off after {size:,} of {total:,} bytes")
    except BaseException:
        if into != path and into.exists():
            if into.stat().st_size > have:
                os.replace(into, path)
            else:
                into.unlink()
        raise
    return into, goes_on


def _copy(response, file, bar, slowest):
    since, received = time.monotonic(), 0
    while True:
        with _source():
            chunk = response.read1(CHUNK)
        if not chunk:
            return
        file.write(chunk)
        bar.update(len(chunk))
        received += len(chunk)
        elapsed = time.monotonic() - since
        if elapsed > WINDOW:
            if received < slowest * elapsed:
                raise _TooSlow(f"only {received / elapsed / 1000:.0f} kB per second came")
            since, received = time.monotonic(), 0


def has_md5(path, md5):
    """Whether there is a file at `path`, with this MD5."""
    if not path.exists():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == md5


def set_aside(path, target):
    """Rename what must not be used, to `target`.wrong."""
    with _disk(target):
        os.replace(path, target.with_name(target.name + ".wrong"))


# --------------------------------------------------------------------------- one laptop for a room


def serve(path, port=8000):
    """Offer one file to others on the network until interrupted; downloads can be resumed.

    OSError if the port is taken or there is none of this number. A client that goes away is a line
    in the log.
    """
    try:
        server = ThreadingHTTPServer(("", port), _handler(path))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"port {port} cannot be used ({reason}): choose another with --port"
        raise OSError(text) from error
    with server:
        command = f"python -m vit_minimal.data prepare --from {_address(server)}"
        print(f"On each other machine: {command}")
        print("Ctrl+C ends this.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _address(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing, but picks the way out
            host = probe.getsockname()[0]
        except OSError:
            host = "127.0.0.1"
    return f"http://{host}:{server.server_port}"


def _handler(path):
    class OneFile(BaseHTTPRequestHandler):
        sent = 0  # bytes of the file that went to this client

        def handle(self):
            try:
                super().handle()
            except OSError as error:  # a laptop was closed or went out of reach
                self.log_message("left after %.1f MB: %s", self.sent / 1e6, error)

        def do_GET(self):
            if self.path != f"/{path.name}":
                self.send_error(404)
                return
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            if start >= size:
                self.send_error(416)
                return
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            with open(path, "rb") as file:
                file.seek(start)
                while chunk := file.read(CHUNK):
                    self.wfile.write(chunk)
                    self.sent += len(chunk)

    return OneFile
