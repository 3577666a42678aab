"""
Who may use the proxy and where it may go, with real processes: curl, and proxies before and behind it.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, labnet, need

# It shows what it was asked.
ORIGIN = r"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{self.requestline}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("origin listens on", server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    with Running([sys.executable, "-c", ORIGIN]) as running:
        yield int(running.waitFor(r"origin listens on (\d+)")[1])


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which joe has the password that he whispers."""
    path = tmp_path_factory.mktemp("passwords") / "users"
    secret = path.with_name("secret")
    secret.write_text("whisper\n")
    made = labnet("files", "password", "joe", "--password-from", str(secret))
    assert made.returncode == 0, made.stderr
    path.write_text(made.stdout)
    return path


def curl(proxy: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [need("curl"), "-s", "-i", "--max-time", str(PATIENCE), "-x", f"http://127.0.0.1:{proxy}"]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
    )


def proxy(directory: Path, *arguments: str) -> Twistd:
    directory.mkdir(exist_ok=True)
    return Twistd(directory, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any", *arguments)


def test_curlIsAskedForAPassword(tmp_path: Path, origin: int, passwords: Path) -> None:
    """407, then the page, over a tunnel as well; the log has the name and nothing else of it."""
    with proxy(tmp_path, "--password-file", str(passwords)) as running:
        port, url = running.port("proxy"), f"http://127.0.0.1:{origin}/"
        assert curl(port, url).stdout.startswith("HTTP/1.1 407 ")
        assert curl(port, "-U", "joe:guess", url).stdout.startswith("HTTP/1.1 407 ")
        assert curl(port, "-p", url).returncode == 56
        answer = curl(port, "--proxy-anyauth", "-U", "joe:whisper", url).stdout
        assert "HTTP/1.1 200 OK" in answer
        assert "proxy-auth" not in answer.lower().rpartition("200 ok")[2]
        assert "GET / HTTP/1.1" in curl(port, "-p", "-U", "joe:whisper", url).stdout
    assert "whisper" not in running.text
    assert "am9lOndoaXNwZXI=" not in running.text


def test_otherPeoplesProxiesReachNoLoopback(tmp_path: Path, origin: int) -> None:
    """Neither by address, nor by a name that has it, in no spelling, with or without a tunnel."""
    with proxy(tmp_path, "--allow-client", "any") as running:
        port = running.port("proxy")
        for host in ("127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"):
            for tunnel in ((), ("-p",)):
                answer = curl(port, *tunnel, f"http://{host}:{origin}/").stdout
                assert answer.startswith("HTTP/1.1 403 "), (host, tunnel, answer)
                assert "its address is " in answer
    allowed = ("--allow-destination", f"localhost:{origin}")
    with proxy(tmp_path, "--allow-client", "any", *allowed) as running:
        port = running.port("proxy")
        assert curl(port, f"http://localhost:{origin}/").stdout.startswith("HTTP/1.1 200 ")
        assert curl(port, f"http://127.0.0.1:{origin}/").stdout.startswith("HTTP/1.1 403 ")
        itself = curl(port, f"http://127.0.0.1:{port}/").stdout
        assert "this proxy itself" in itself


def test_aClientThatIsNone(tmp_path: Path, origin: int) -> None:
    with proxy(tmp_path, "--allow-client", "192.0.2.0/24") as running:
        answer = curl(running.port("proxy"), f"http://127.0.0.1:{origin}/").stdout
        assert answer.startswith("HTTP/1.1 403 ")
        assert "does not serve your address" in answer
    assert "1 proxy connections refused: 1 not among the clients" in running.text


def test_aChainOfProxies(tmp_path: Path, origin: int, passwords: Path) -> None:
    """Requests and tunnels go through the other one, which asks for a password; one host does not."""
    auth = tmp_path / "auth"
    auth.write_text("joe:whisper\n")
    with proxy(tmp_path / "far", "--password-file", str(passwords)) as far:
        url = f"http://127.0.0.1:{far.port('proxy')}"
        chosen = ("--upstream", url, "--upstream-auth", str(auth), "--upstream-for", "localhost=direct")
        with proxy(tmp_path / "near", *chosen) as near:
            port = near.port("proxy")
            through = curl(port, f"http://127.0.0.1:{origin}/").stdout
            assert len(re.findall(r"labnet-[0-9a-f]{8}", through.rpartition("\n\n")[0])) >= 2
            assert "roxy-Authorization" not in through
            assert "GET / HTTP/1.1" in curl(port, "-p", f"http://127.0.0.1:{origin}/").stdout
            assert curl(port, f"http://localhost:{origin}/").stdout.startswith("HTTP/1.1 200 ")
            far.waitFor(rf"CONNECT 127\.0\.0\.1:{origin}")
        assert "localhost" not in far.text
        with proxy(tmp_path / "wrong", "--upstream", url) as wrong:
            answer = curl(wrong.port("proxy"), f"http://127.0.0.1:{origin}/").stdout
            assert answer.startswith("HTTP/1.1 502 ")
            assert "it does not take our name and password (407)" in answer
    assert "whisper" not in far.text + near.text


def test_behindABalancer(tmp_path: Path, origin: int) -> None:
    """The address that the PROXY header names is the client's: in the rules, and in the log."""
    command = ("labnet-proxy", "--listen", "haproxy:tcp:0", "--allow-client", "192.0.2.0/24")
    allowed = ("--allow-destination", f"127.0.0.1:{origin}")
    with Twistd(tmp_path, *command, *allowed) as running:
        port = running.port("proxy")
        request = f"GET http://127.0.0.1:{origin}/ HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n\r\n"
        bad = "PROXY TCP4 192.0.2.7 192.0.2.1 40001 8080\r\nnonsense\r\n\r\n"
        assert answered(port, bad) == b"HTTP/1.1 400"
        assert answered(port, f"PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n{request}") == b"HTTP/1.1 200"
        assert answered(port, f"PROXY TCP4 198.51.100.7 192.0.2.1 4 8080\r\n{request}") == b"HTTP/1.1 403"
        assert answered(port, request) == b""
        running.waitFor(r"proxy #\d+ tcp:192\.0\.2\.7:40001")
        running.waitFor("a connection from 127.0.0.1 is closed: it does not begin with a PROXY header")


def answered(port: int, data: str) -> bytes:
    """The beginning of the answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(data.encode())
        try:
            return client.recv(12)
        except ConnectionResetError:
            return b""


def test_beforeASite(tmp_path: Path, origin: int, passwords: Path) -> None:
    """With one origin it asks as a site does, and the origin does not hear of the password."""
    target = ("--target", f"127.0.0.1:{origin}", "--password-file", str(passwords))
    with proxy(tmp_path, *target) as running:
        url = f"http://127.0.0.1:{running.port('proxy')}/"
        command = [need("curl"), "-s", "-i", "--max-time", str(PATIENCE), url]
        asked = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert asked.stdout.startswith("HTTP/1.1 401 ")
        command += ["-u", "joe:whisper"]
        page = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert page.stdout.startswith("HTTP/1.1 200 ")
        assert "uthorization" not in page.stdout
