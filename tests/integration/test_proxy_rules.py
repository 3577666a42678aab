"""
A proxy as a process gets other rules while it works.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browser import Browser
from tests.integration.processes import PATIENCE, Running, Twistd
from tests.integration.test_proxy import curl

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")

GAMES = """
[[block]]
name = "games"
text = "Játék"
ignore_case = true
status = 451
page = "games.html"
"""
POKER = """
[[block]]
regex = '\\bpoker\\b'
ignore_case = true
paths = "/forum/"
"""
SLOW = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "games.html").write_text("<p>{{rule}} at {{url}}")
    file = tmp_path / "rules.toml"
    file.write_text(GAMES)
    return file


@pytest.fixture
def origin() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener


def answer(running: Running, path: str, body: str, origin: socket.socket, proxy: int) -> bytes:
    """What a client gets through the proxy for what the origin answers."""
    with socket.create_connection(("127.0.0.1", proxy)) as client:
        client.settimeout(PATIENCE)
        host = f"127.0.0.1:{origin.getsockname()[1]}".encode()
        client.sendall(
            b"GET http://%b%b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
            % (host, path.encode(), host)
        )
        behind, _ = origin.accept()
        with behind:
            behind.recv(4096)
            encoded = body.encode()
            behind.sendall(SLOW % len(encoded) + encoded)
            received = b""
            while data := client.recv(4096):
                received += data
    return received


def hangup(running: Running, line: str) -> None:
    """Tell the process to read its files again, and wait until it says so."""
    running.process.send_signal(signal.SIGHUP)
    running.waitFor(line)


def test_newRulesHoldWhileASlowDownloadGoesOn(tmp_path: Path, rules: Path, origin: socket.socket) -> None:
    """
    What began under the old rules ends under them, on its connection; what begins after the signal is under
    the new ones; and a file that is wrong changes nothing.
    """
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--rules", "rules.toml") as running:
        proxy = running.port("proxy")
        blocked = answer(running, "/", "<p>JÁTÉK", origin, proxy)
        assert blocked.startswith(b"HTTP/1.1 451 ")
        assert blocked.endswith(b"<p>games at http://127.0.0.1:%d/" % origin.getsockname()[1])
        with socket.create_connection(("127.0.0.1", proxy)) as client:
            client.settimeout(PATIENCE)
            host = b"127.0.0.1:%d" % origin.getsockname()[1]
            client.sendall(b"GET http://%b/forum/ HTTP/1.1\r\nHost: %b\r\n\r\n" % (host, host))
            behind, _ = origin.accept()
            with behind:
                behind.recv(4096)
                behind.sendall(SLOW % 12 + b"more ")
                rules.write_text(POKER)
                hangup(running, "proxy: 1 rule in force")
                assert answer(running, "/forum/", "no Poker!", origin, proxy).startswith(b"HTTP/1.1 404 ")
                assert answer(running, "/", "Poker, játék", origin, proxy).startswith(b"HTTP/1.1 200 ")
                rules.write_text(GAMES + POKER + "[[block]]\ntext = 3")
                hangup(
                    running, r"the rules stay as they were: --rules: rules.toml: \[\[block\]\] 3: text: "
                )
                assert answer(running, "/forum/", "no Poker!", origin, proxy).startswith(b"HTTP/1.1 404 ")
                behind.sendall(b"poker..")
                received = b""
                while not received.endswith(b"poker.."):
                    data = client.recv(4096)
                    assert data
                    received += data
                assert received.startswith(b"HTTP/1.1 200 ")


def test_workersGetThemToo(tmp_path: Path, rules: Path, origin: socket.socket) -> None:
    """The supervisor passes the signal on."""
    options = ("--listen", "tcp:0", "--rules", "rules.toml", "--workers", "1")
    with Twistd(tmp_path, "labnet-proxy", *options) as running:
        proxy = running.port("proxy")
        assert answer(running, "/", "<p>JÁTÉK", origin, proxy).startswith(b"HTTP/1.1 451 ")
        rules.write_text(POKER)
        hangup(running, "proxy: 1 rule in force")
        assert answer(running, "/forum/", "poker", origin, proxy).startswith(b"HTTP/1.1 404 ")
        assert answer(running, "/forum/", "<p>JÁTÉK", origin, proxy).startswith(b"HTTP/1.1 200 ")


def test_oneSignalReachesEveryProxyOfTheLab(tmp_path: Path, rules: Path, origin: socket.socket) -> None:
    (tmp_path / "more.toml").write_text("")
    (tmp_path / "lab.toml").write_text(
        "[[proxy]]\nlisten = 'tcp:0'\nrules = 'rules.toml'\n"
        "[[proxy]]\nlisten = 'tcp:0'\nrules = 'more.toml'\n"
    )
    with Twistd(tmp_path, "labnet", "--config", "lab.toml", "--only", "proxy") as running:
        # Once it answers all of it runs.
        assert answer(running, "/", "clean", origin, running.port("proxy")).endswith(b"clean")
        rules.write_text(GAMES + POKER)
        (tmp_path / "more.toml").write_text(POKER)
        running.process.send_signal(signal.SIGHUP)
        running.waitFor("proxy: 2 rules in force")
        running.waitFor("proxy: 1 rule in force")


def test_curlSeesWhyAndABrowserThePage(tmp_path: Path, origin: socket.socket) -> None:
    """The shipped page fits a narrow window, and curl gets the reason in a field."""
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0") as running:
        proxy = running.port("proxy")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/{'a' * 300}"
        result = curl(proxy, "-i", url)
        assert b"X-Labnet-Filter: refused; why=" in result.stdout
        page = tmp_path / "page.html"
        page.write_bytes(result.stdout.partition(b"\r\n\r\n")[2])
        with Browser(tmp_path / "profile") as browser:
            tab = browser.open(page.as_uri())
            for width, scheme in ((320, "dark"), (1000, "light")):
                tab.screenshot(tmp_path / f"{scheme}.png", width, 500, scheme)
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert "502 Bad Gateway" in tab.evaluate("document.body.innerText")
            assert browser.problems == []
