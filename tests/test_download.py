"""Downloads come through, or end in a sentence: over real sockets, with servers that misbehave."""

import contextlib
import errno
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest

from vit_minimal.data import download
from vit_minimal.data.__main__ import main
from vit_minimal.data.download import fetch

CONTENT = bytes(range(256)) * 2_000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "SILENCE", 0.5)
    monkeypatch.setattr(download, "WINDOW", 0.3)
    monkeypatch.setattr(download, "CHUNK", 4096)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "sets" / "archive.tar.gz"


def begin(target, content):
    """Leave what an earlier download got before it broke off."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_name(target.name + ".part").write_bytes(content)


def names(target):
    return sorted(path.name for path in target.parent.iterdir())


def raw(head, body=b""):
    """A whole answer, sent as it is; then the connection is closed."""
    return (f"HTTP/1.0 200 OK\r\n{head}\r\n\r\n".encode() + body,)


def hang(handler):
    handler.wfile.write(raw(f"Content-Length: {len(CONTENT)}", CONTENT[:5_000])[0])
    handler.server.over.wait(10)


def trickle(handler):
    handler.wfile.write(raw(f"Content-Length: {len(CONTENT)}")[0])
    for start in range(0, len(CONTENT), 500):  # 10 kB per second: never silent, never done
        if handler.server.over.wait(0.05):
            return
        handler.wfile.write(CONTENT[start : start + 500])


def unavailable(handler):
    handler.send_error(503, "Service Unavailable")


# --- the right file -------------------------------------------------------------------------------


def test_file_arrives_under_its_name_and_nothing_else_is_left(server, target):
    server.pages["/file"] = CONTENT
    fetch([server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT and names(target) == [target.name]


def test_bar_shows_how_much_has_come(server, target, capsys):
    server.pages["/file"] = CONTENT
    fetch([server.url + "/file"], target, MD5)
    bar = capsys.readouterr().err
    assert target.name in bar and "100%" in bar and "512k/512k" in bar


@pytest.mark.parametrize("ranges", [True, False])
def test_partial_file_is_completed(ranges, server, target):
    server.ranges = ranges
    server.pages["/file"] = CONTENT
    begin(target, CONTENT[:100_000])
    fetch([server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/file", "bytes=100000-")]
    assert server.sent == len(CONTENT) - (100_000 if ranges else 0)


def test_next_source_goes_on_where_the_first_was_cut_off(server, target):
    server.pages["/cut"] = raw(f"Content-Length: {len(CONTENT)}", CONTENT[:70_000])
    server.pages["/file"] = CONTENT
    fetch([server.url + "/cut", server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/cut", None), ("/file", "bytes=70000-")]


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"?", b"?" * 300, b"?" * len(CONTENT)])
def test_partial_file_that_is_whole_or_wrong_does_no_harm(left, server, target):
    server.pages["/file"] = CONTENT
    begin(target, left)
    fetch([server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT


# --- sources that misbehave -----------------------------------------------------------------------

BROKEN = {
    "missing": (None, "404"),
    "503": (unavailable, "503 Service Unavailable"),
    "cut off": (
        raw(f"Content-Length: {len(CONTENT)}", CONTENT[:500]),
        "cut off after 500 of 512,000",
    ),
    "length too long": (
        raw("Content-Length: 600000", CONTENT[:-1]),
        "cut off after 511,999 of 600",
    ),
    "length too short": (raw("Content-Length: 400", CONTENT), "wrong MD5"),
    "wrong archive": (b"another" * 100, "wrong MD5"),
    "page instead": (raw("Content-Type: text/html", b"<html>log in</html>"), "wrong MD5"),
    "not HTTP": ((b"this is not HTTP\r\n",), "this is not HTTP"),
    "no answer": ((b"",), "without response"),
    "chunk cut off": (
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc",),
        "Incomplete",
    ),
    "silent": (hang, "timed out"),
    "slow": (trickle, "kB per second"),
}


@pytest.mark.parametrize("answer, said", BROKEN.values(), ids=BROKEN)
def test_source_that_breaks_down_is_left_for_the_next(answer, said, server, target):
    server.pages |= {"/broken": answer, "/file": CONTENT}
    fetch([server.url + "/broken", server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_slow_source_is_named_with_both_reasons_when_it_fails_in_the_end(server, target):
    def slow_once(handler):
        if len([path for path, _ in handler.server.asked if path == "/slow"]) == 1:
            trickle(handler)
        else:
            unavailable(handler)

    server.pages["/slow"] = slow_once
    with pytest.raises(OSError, match=r"/slow: only \d+ kB per second.*/gone.*404.*/slow: .*503"):
        fetch([server.url + "/slow", server.url + "/gone"], target, MD5)


@pytest.mark.parametrize(
    "answer, said",
    [BROKEN[name] for name in BROKEN if name != "slow"],
    ids=[name for name in BROKEN if name != "slow"],
)
def test_each_source_is_named_with_its_reason_when_all_fail(answer, said, server, target):
    server.pages |= {"/broken": answer}
    with pytest.raises(OSError) as failure:
        fetch([server.url + "/broken", server.url + "/gone"], target, MD5)
    message = str(failure.value)
    reasons = message.partition("/broken: ")[2].split("; ")
    assert (
        said in reasons[0] and reasons[1].startswith(server.url + "/gone: ") and "404" in reasons[1]
    )
    assert "Connect to the network" in message and str(target.parent) in message
    assert not target.exists()


def test_last_source_may_be_slow(server, target, monkeypatch):
    def slowly(handler):
        handler.wfile.write(raw(f"Content-Length: {len(CONTENT)}")[0])
        for start in range(0, len(CONTENT), 51_200):
            handler.server.over.wait(0.1)
            handler.wfile.write(CONTENT[start : start + 51_200])

    monkeypatch.setattr(download, "SLOWEST", 10**9)
    server.pages["/slow"] = slowly
    fetch([server.url + "/slow"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_slow_source_gets_another_chance_when_no_other_is_better(server, target, monkeypatch):
    monkeypatch.setattr(download, "WINDOW", 0)
    monkeypatch.setattr(download, "SLOWEST", 10**12)
    server.pages["/slow"] = CONTENT
    fetch([server.url + "/slow", server.url + "/gone"], target, MD5)
    assert target.read_bytes() == CONTENT
    assert [path for path, _ in server.asked][1:] == ["/gone", "/slow"]


@pytest.mark.parametrize("answer", [b"<html>log in</html>", hang], ids=["page", "silent"])
def test_server_that_does_not_go_on_leaves_a_longer_part_alone(answer, server, target):
    server.ranges = False
    server.pages |= {"/broken": answer}
    begin(target, CONTENT[:300_000])
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch([server.url + "/broken"], target, MD5)
    assert target.with_name(target.name + ".part").read_bytes() == CONTENT[:300_000]
    assert not any(name.endswith(".anew") for name in names(target))


def test_longer_beginning_replaces_a_shorter_one(server, target):
    server.ranges = False
    server.pages["/cut"] = raw(f"Content-Length: {len(CONTENT)}", CONTENT[:90_000])
    begin(target, CONTENT[:5_000])
    with pytest.raises(OSError, match="cut off"):
        fetch([server.url + "/cut"], target, MD5)
    assert names(target) == [target.name + ".part"]
    assert target.with_name(target.name + ".part").read_bytes() == CONTENT[:90_000]


@pytest.mark.parametrize("length", ["many", "-5", ""])
def test_length_that_is_no_number_is_ignored(length, server, target):
    server.pages["/file"] = raw(f"Content-Length: {length}", CONTENT)
    fetch([server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_lying_about_the_length_does_not_matter_when_the_file_is_right(server, target):
    server.pages["/file"] = raw(f"Content-Length: {len(CONTENT) + 7}", CONTENT)
    fetch([server.url + "/file"], target, MD5)
    assert target.read_bytes() == CONTENT


def test_what_is_whole_but_wrong_is_set_aside(server, target):
    server.pages["/wrong"] = b"another archive"
    with pytest.raises(OSError, match=r"wrong MD5.*archive\.tar\.gz\.wrong"):
        fetch([server.url + "/wrong"], target, MD5)
    assert names(target) == [target.name + ".wrong"]
    assert target.with_name(target.name + ".wrong").read_bytes() == b"another archive"


def test_what_came_is_kept_when_all_fail(server, target):
    server.pages["/cut"] = raw(f"Content-Length: {len(CONTENT)}", CONTENT[:9_000])
    with pytest.raises(OSError, match="cut off"):
        fetch([server.url + "/cut"], target, MD5)
    assert target.with_name(target.name + ".part").read_bytes() == CONTENT[:9_000]


def test_no_network_is_said(target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
    with pytest.raises(OSError, match=r"Connect to the network.*refused.*invalid/file: .*[Nn]ame"):
        fetch([nobody, "http://host.invalid/file"], target, MD5)


# --- this machine ---------------------------------------------------------------------------------


def test_full_disk_is_said_and_no_other_source_is_asked(server, target, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.pages["/file"] = CONTENT
    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(OSError, match=r"No space left.* MB are free.*Make room"):
        fetch([server.url + "/file", server.url + "/file"], target, MD5)
    assert len(server.asked) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_disk_that_fills_up_while_writing_is_said(server, target):
    server.pages["/file"] = CONTENT
    target.parent.mkdir()
    target.with_name(target.name + ".part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left.* MB are free"):
        fetch([server.url + "/file", server.url + "/file"], target, MD5)
    assert len(server.asked) == 1


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_said(server, target):
    target.parent.mkdir(mode=0o500)
    server.pages["/file"] = CONTENT
    with pytest.raises(OSError, match=r"Permission denied.*VIT_MINIMAL_DATA"):
        fetch([server.url + "/file"], target, MD5)


def test_file_in_the_place_of_the_folder_is_said(server, target):
    target.parent.write_bytes(b"")
    with pytest.raises(OSError, match=r"cannot be written .*VIT_MINIMAL_DATA"):
        fetch([server.url + "/file"], target, MD5)


FETCH = """
import signal, sys
sys.path.insert(0, sys.argv[4])  # the module alone: the package would import torch, which takes time
# Whoever runs the tests in the background may have it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
import download
try:
    download.fetch([sys.argv[1]], sys.argv[2], sys.argv[3])
except KeyboardInterrupt as interrupt:
    sys.exit(str(interrupt))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child")
def test_interrupt_keeps_what_came_and_the_next_call_goes_on(server, target):
    server.pages |= {"/slow": trickle, "/file": CONTENT}
    words = [sys.executable, "-c", FETCH, server.url + "/slow", str(target), MD5]
    words.append(os.path.dirname(download.__file__))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    part = target.with_name(target.name + ".part")
    wait_until(lambda: part.exists() and part.stat().st_size > 2_000)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 1 and "Traceback" not in said
    assert "interrupted: the first" in said and part.name in said
    kept = part.read_bytes()
    assert CONTENT.startswith(kept) and len(kept) > 2_000
    fetch([server.url + "/file"], target, MD5)
    assert server.asked[-1] == ("/file", f"bytes={len(kept)}-")
    assert target.read_bytes() == CONTENT


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# --- serve ----------------------------------------------------------------------------------------


@pytest.fixture
def room(tmp_path):
    """The address of one laptop's file."""
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(CONTENT)
    with offered(path) as address:
        yield address


@contextlib.contextmanager
def offered(path):
    with download.ThreadingHTTPServer(("127.0.0.1", 0), download._handler(path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{path.name}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("have", [0, 1, 300_000, len(CONTENT)])
def test_others_in_the_room_get_the_file_and_can_resume(have, room, target):
    begin(target, CONTENT[:have])
    fetch([room], target, MD5)
    assert target.read_bytes() == CONTENT


def test_nothing_but_the_file_is_offered(room):
    for path in ("/", "/../archive.tar.gz", "/etc/passwd"):
        with pytest.raises(urllib.request.HTTPError, match="404"):
            urllib.request.urlopen(room.rpartition("/")[0] + path, timeout=5)


@pytest.mark.parametrize("leave", ["closed", "reset", "before asking"])
def test_laptop_that_leaves_is_one_line_and_the_next_is_served(leave, tmp_path, capsys):
    path, log = tmp_path / "large", []
    with open(path, "wb") as file:
        file.truncate(1 << 30)  # more than can wait on the way

    def one_has_left():
        log.append(capsys.readouterr().err)
        return "left after" in "".join(log)

    with offered(path) as address:
        host, port = urllib.parse.urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port))) as client:
            if leave != "before asking":
                client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
                assert b"200" in client.recv(1_000)
            if leave != "closed":  # whatever is under way is thrown away
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(one_has_left)
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert answer.read(1_000) == bytes(1_000)
    (line,) = [line for line in "".join(log).splitlines() if "GET" not in line]
    assert line.startswith(host) and "left after" in line


def test_port_that_is_taken_is_named(server, tmp_path):
    with pytest.raises(OSError, match=f"port {server.server_port} cannot be used .*--port"):
        download.serve(tmp_path / "archive.tar.gz", server.server_port)


@pytest.mark.parametrize("port", [65_536, 99_999, -1])
def test_port_that_there_is_not_is_named(port, tmp_path):
    with pytest.raises(OSError, match=f"port {port} cannot be used .*--port"):
        download.serve(tmp_path / "archive.tar.gz", port)


@pytest.mark.parametrize(
    "given", ["10.0.0.5:8000", "10.0.0.5", "laptop:8000/cifar-10-python.tar.gz"]
)
def test_an_address_without_http_is_answered_with_the_one_to_write(given, capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--from", given])
    said = capsys.readouterr().err
    assert f"http://{given}" in said and "network" not in said


def test_the_command_to_type_is_printed_and_ctrl_c_ends_it(tmp_path, capsys, monkeypatch):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.ThreadingHTTPServer, "serve_forever", interrupt)
    download.serve(tmp_path / "archive.tar.gz", port=0)
    assert "vit_minimal.data prepare --from http://" in capsys.readouterr().out
