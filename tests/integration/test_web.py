"""
The hello web server as a real process: a student's client, curl and a browser.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.web.wire import HELLO, LAME
from tests.integration.processes import ENVIRONMENT, PATIENCE, Twistd, need, student

CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
while True:
    data = s.recv(1024)
    if not data:
        break
    sys.stdout.buffer.write(data)
s.close()
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[int]:
    with Twistd(tmp_path, "labnet-web", "--listen", "tcp:0") as server:
        yield server.port("web")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=3 * PATIENCE, check=False
    )


def test_aStudentsClientIsAnswered(web: int) -> None:
    assert student(CLIENT, str(web)).stdout == HELLO.decode().replace("\r\n", "\n")


def test_curl(web: int) -> None:
    """It takes the page, and sees which answers are cut short: 18 is a body, 52 an empty answer."""
    curl = [need("curl"), "--silent", "--noproxy", "*"]
    base = f"http://127.0.0.1:{web}"
    assert run(*curl, base).stdout == "<h1>Hello World</h1>"
    assert run(*curl, f"{base}/lame/too-long").returncode == 18
    assert run(*curl, f"{base}/lame/too-short").returncode == 0
    for name in ("no-length", "line-feeds"):
        assert run(*curl, f"{base}/lame/{name}").stdout == "<h1>Hello, but lame</h1>\n"
    # What a head that is cut comes to depends on curl's version: nothing wrong (7.88), or one of these.
    early = run(*curl, "--include", f"{base}/lame/early-close")
    assert early.returncode in (0, 8, 52, 56)
    assert "Hello" not in early.stdout
    slow = run(*curl, "--max-time", "1.5", "--trace-ascii", "-", f"{base}/lame/slow")
    assert slow.returncode == 28
    assert "<= Recv header" not in slow.stdout
    never = run(*curl, "--max-time", "0.5", f"{base}/lame/never-ends")
    assert never.returncode == 28


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/", "<h1>Hello World</h1>"), ("/request", "User-Agent: "), ("/lame/", next(iter(LAME)))],
)
def test_aBrowserShowsIt(web: int, tmp_path: Path, path: str, shown: str) -> None:
    result = run(
        need("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'browser'}",
        "--no-proxy-server",
        "--dump-dom",
        f"http://127.0.0.1:{web}{path}",
    )
    assert shown in result.stdout
