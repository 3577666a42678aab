"""
The proxy as a process, with real origins behind it and real clients before it.
"""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, need

COURSE_404 = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"
)

# A web server as a student writes it: one recv for the request, no keep-alive.
ORIGIN = r"""
import gzip, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(50)
print("origin listens on", listener.getsockname()[1], flush=True)
page = b"<html><body>" + b"x" * 500 + b"SzamHalo" + b"y" * 500 + b"</body></html>"
zipped = gzip.compress(page)
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = connection.recv(4096)
    path = request.split(b" ")[1]
    print("asked", request.split(b"\r\n")[0].decode(), flush=True)
    if path == b"/clean":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>clean page</p>")
    elif path == b"/word":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)
    elif path == b"/field":
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Course: SzamHalo\r\nContent-Length: 2\r\n\r\nok")
    elif path == b"/segments":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page) + page[:516])
        connection.sendall(page[516:])
    elif path == b"/chunks":
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (page[:516], page[516:]):
            connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
    elif path == b"/gzip":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped)
    elif path.startswith(b"/big"):
        body = b"z" * 300000 + (b"SzamHalo" if path == b"/bigword" else b"")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body)
    elif path == b"/silent":
        print("left", connection.recv(4096), flush=True)
    connection.close()
"""

# A client as a student writes it: the request by hand, then everything up to the end.
CLIENT = r"""
import socket, sys
port, target, host = int(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.create_connection(("127.0.0.1", port))
s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
while True:
    data = s.recv(4096)
    if not data:
        break
    sys.stdout.buffer.write(data)
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    with Running([sys.executable, "-c", ORIGIN]) as running:
        yield int(running.waitFor(r"origin listens on (\d+)")[1])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory = tmp_path_factory.mktemp("proxy")
    with Twistd(directory, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any") as running:
        yield running.port("proxy")


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory, origin: int) -> Iterator[int]:
    directory = tmp_path_factory.mktemp("fixed")
    target = f"127.0.0.1:{origin}"
    with Twistd(directory, "labnet-proxy", "--listen", "tcp:0", "--target", target) as running:
        yield running.port("proxy")


def curl(proxy: int, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [need("curl"), "-s", "--max-time", str(PATIENCE), "-x", f"http://127.0.0.1:{proxy}"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, env=ENVIRONMENT, timeout=PATIENCE, check=False
    )


def asked(port: int, target: str, host: str) -> bytes:
    """What a student's client gets."""
    command = [sys.executable, "-c", CLIENT, str(port), target, host]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True).stdout


BLOCKED = ["/word", "/field", "/segments", "/chunks", "/gzip", "/bigword"]


@pytest.mark.parametrize("path", BLOCKED)
def test_theStudentsClientGetsTheCourses404(fixed: int, path: str) -> None:
    """Through the proxy before one origin: exactly the course's 160 bytes, wherever the word was."""
    assert asked(fixed, path, f"localhost:{fixed}") == COURSE_404


def test_theStudentsClientGetsCleanPages(fixed: int) -> None:
    """A clean page arrives whole, also 300 kB whose head and body were sent apart."""
    assert asked(fixed, "/clean", "localhost").endswith(b"\r\n\r\n<p>clean page</p>")
    assert asked(fixed, "/big", "localhost").partition(b"\r\n\r\n")[2] == b"z" * 300_000


@pytest.mark.parametrize("path", BLOCKED)
def test_curlGets404(proxy: int, origin: int, path: str) -> None:
    """In forward mode curl gets a well-formed 404 that says why, and nothing of the page."""
    result = curl(proxy, "-i", "--compressed", f"http://127.0.0.1:{origin}{path}")
    assert result.returncode == 0
    assert result.stdout.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"X-Labnet-Filter: blocked; rule=" in result.stdout
    assert b"xxx" not in result.stdout


def test_curlGetsCleanPages(proxy: int, origin: int) -> None:
    """Several pages over one connection of curl's."""
    base = f"http://127.0.0.1:{origin}"
    result = curl(proxy, "-v", f"{base}/clean", f"{base}/big", f"{base}/clean")
    assert result.stdout == b"<p>clean page</p>" + b"z" * 300_000 + b"<p>clean page</p>"
    assert b"Re-using existing" in result.stderr


def test_curlThroughATunnel(proxy: int, origin: int) -> None:
    """CONNECT passes everything on unseen, in both directions."""
    result = curl(proxy, "-p", f"http://127.0.0.1:{origin}/word")
    assert b"SzamHalo" in result.stdout


def test_anOriginThatIsNotThere(proxy: int) -> None:
    """502 with a page that says so."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = curl(proxy, "-i", f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert result.stdout.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"connection refused" in result.stdout


def browse(proxy: int, directory: Path, url: str) -> str:
    """The document that a browser ends with."""
    command = [
        need("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={directory}",
        f"--proxy-server=http://127.0.0.1:{proxy}",
        "--proxy-bypass-list=<-loopback>",
        "--dump-dom",
        url,
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=3 * PATIENCE, check=True
    )
    return result.stdout


def test_aBrowser(proxy: int, origin: int, tmp_path: Path) -> None:
    """A browser behind the proxy shows a clean page, and the block page in place of a blocked one."""
    base = f"http://127.0.0.1:{origin}"
    assert "<p>clean page</p>" in browse(proxy, tmp_path, f"{base}/clean")
    blocked = browse(proxy, tmp_path, f"{base}/gzip")
    assert "a rule of this proxy blocks it" in blocked
    assert "xxx" not in blocked


NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 0; default_type application/octet-stream;
    types {{ video/mp4 mp4; }}
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    server {{
        listen 127.0.0.1:{port}; root {directory};
        location /upload {{ dav_methods PUT; create_full_put_path on; root {directory}; }}
    }}
}}
"""

MEBIBYTE = 2**20
LARGE = 200


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """nginx with large files; it has to be told its port."""
    program = need("nginx")
    directory = tmp_path_factory.mktemp("nginx")
    directory.chmod(0o755)
    with (directory / "large.bin").open("wb") as large:
        for number in range(LARGE):
            large.write(hashlib.sha256(b"%d" % number).digest() * (MEBIBYTE // 32))
    (directory / "large.mp4").hardlink_to(directory / "large.bin")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = directory / "nginx.conf"
    text = NGINX.format(directory=directory, port=port, user="user root;")
    configuration.write_text(text)
    command = [program, "-e", "stderr", "-c", str(configuration), "-p", str(directory)]
    with Running(command) as running:
        while True:
            assert running.process.poll() is None, running.text
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield port, directory


def peakMemory(process: int) -> int:
    """The most memory a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) // 1024


def digest(directory: Path) -> str:
    return hashlib.sha256((directory / "large.bin").read_bytes()).hexdigest()


def test_largeBodiesTakeLittleMemory(nginx: tuple[int, Path], tmp_path: Path) -> None:
    """
    200 MiB down through inspection, 200 MiB down without, and 200 MiB up, arrive unchanged, and the
    proxy needs a fraction of that.
    """
    port, directory = nginx
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--skip-type", "video/mp4") as running:
        proxy = running.port("proxy")
        for name in ("large.bin", "large.mp4"):
            result = curl(proxy, "-o", str(tmp_path / name), f"http://127.0.0.1:{port}/{name}")
            assert result.returncode == 0
            received = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
            assert received == digest(directory)
        upload = curl(proxy, "-T", str(directory / "large.bin"), f"http://127.0.0.1:{port}/upload/copy")
        assert upload.returncode == 0
        uploaded = hashlib.sha256((directory / "upload" / "copy").read_bytes()).hexdigest()
        assert uploaded == digest(directory)
        assert peakMemory(running.process.pid) < 100
        assert "not inspected: media type" in running.text


def test_aClientThatLeavesCancels(origin: int, tmp_path: Path) -> None:
    """When the client resets its connection, the origin's ends, too, and the log says why."""
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0") as running:
        with socket.create_connection(("127.0.0.1", running.port("proxy"))) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(
                b"GET http://127.0.0.1:%d/silent HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (origin, origin)
            )
        running.waitFor("the client left")


def test_stoppingInTheMiddle(tmp_path: Path) -> None:
    """SIGTERM while an answer is on its way: it arrives whole, then the process ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--target", target) as running:
            with socket.create_connection(("127.0.0.1", running.port("proxy"))) as client:
                client.settimeout(PATIENCE)
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                behind, _ = listener.accept()
                assert behind.recv(4096).startswith(b"GET / ")
                running.process.terminate()
                running.waitFor("Received SIGTERM")
                behind.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                answer = b""
                while data := client.recv(4096):
                    answer += data
                assert answer.endswith(b"\r\n\r\ndone")
                behind.close()
            running.wait()
