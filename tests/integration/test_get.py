"""
C{labnet get} as a real process: students' servers, other people's, through the proxy, and over TLS; and the
same with curl.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.web.wire import LAME
from tests.integration.certificates import Certificate, certificateIn
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, labnet, need

#: In the manner of the course: one recv, one or more sendall, close. What it sends are its arguments.
SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(5)
print("port", s.getsockname()[1], flush=True)
while True:
    client, address = s.accept()
    request = client.recv(4096)
    print("request", request, flush=True)
    for piece in sys.argv[1:]:
        client.sendall(piece.encode("latin-1").decode("unicode_escape").encode("latin-1"))
    client.close()
"""

#: The same over TLS; it ends with close_notify if its third argument says so.
TLS_SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
s = socket.create_server(("127.0.0.1", 0))
print("port", s.getsockname()[1], flush=True)
while True:
    raw, address = s.accept()
    try:
        client = context.wrap_socket(raw, server_side=True)
        client.recv(4096)
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nover TLS\\n")
        if sys.argv[3] == "notify":
            client.unwrap()
        client.close()
    except (OSError, ssl.SSLError) as error:
        print("refused", error, flush=True)
"""


def serving(program: str, *arguments: str) -> Running:
    """A student's server, as a process of its own."""
    return Running([sys.executable, "-c", program, *arguments])


def portOf(server: Running) -> int:
    return int(server.waitFor(r"^port (\d+)")[1])


def get(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return labnet("get", *arguments, stdin=stdin)


def withoutTimes(text: str) -> str:
    """A trace without what differs from run to run."""
    text = re.sub(r"(?m)^ *\d+\.\d{3} s ", "", text.partition("\n\nphase")[0])
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"labnet/[\w.]+", "labnet/V", text))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Twistd(tmp_path_factory.mktemp("web"), "labnet-web", "--listen", "tcp:0") as server:
        yield f"http://127.0.0.1:{server.port('web')}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificateIn(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    directory.joinpath("page.html").write_text("<h1>A page</h1>\n")
    directory.joinpath("large.bin").write_bytes(os.urandom(5_000_000))
    directory.joinpath("folder").mkdir()
    return directory


@pytest.fixture(scope="module")
def python(site: Path) -> Iterator[str]:
    """Python's own web server."""
    command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(site)]
    with Running(command) as server:
        yield "http://127.0.0.1:" + server.waitFor(r"port (\d+)")[1]


# A student's servers.


@pytest.mark.parametrize("http10", [False, True])
def test_aStudentsServer(http10: bool) -> None:
    """One recv sees the whole request; the end of the connection is the end of the page."""
    with serving(
        SERVER, r"HTTP/1.0 200 OK\r\n", r"Content-type: text/html\r\n\r\n", "<h1>Hi</h1>"
    ) as server:
        got = get(f"http://127.0.0.1:{portOf(server)}/x", *(["--http10"] if http10 else []))
        assert (got.returncode, got.stdout, got.stderr) == (0, "<h1>Hi</h1>", "")
        request = server.waitFor(r"^request b'(.*)'")[1]
    first = "GET /x HTTP/1.0" if http10 else "GET /x HTTP/1.1"
    assert request.startswith(first + r"\r\nHost: 127.0.0.1:")
    assert request.endswith(r"\r\n\r\n")
    assert ("Connection: close" in request) is not http10


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        ("", 5, "the connection was closed without an answer"),
        (r"HTTP/1.1 200 OK\r\nX", 5, "the head is cut: 18 bytes of it came"),
        (r"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 5, "the body is cut: 3 of 9 bytes came"),
        (
            r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            5,
            "the body is cut: 2 of 5 bytes of a chunk came",
        ),
        ("Hello, client!", 9, "the answer is not understood: this is not HTTP: it begins with"),
        (r"HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n", 9, "Content-Length is not a number"),
    ],
)
def test_whatAStudentsServerGetsWrong(answer: str, status: int, sentence: str) -> None:
    with serving(SERVER, *([answer] if answer else [])) as server:
        got = get(f"http://127.0.0.1:{portOf(server)}/")
    assert got.returncode == status
    assert got.stderr.startswith("labnet get: ")
    assert sentence in got.stderr
    assert got.stderr.count("\n") == 1


def test_theTraceOfAStudentsServer() -> None:
    answer = r"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n"
    with serving(SERVER, answer) as server:
        got = get(f"http://127.0.0.1:{portOf(server)}/", "--trace", "-H", "Accept:")
    assert got.returncode == 0
    assert withoutTimes(got.stdout).splitlines() == [
        "=== http://127.0.0.1:PORT/",
        "--- connecting to 127.0.0.1:PORT",
        "--- connected, from tcp:127.0.0.1:PORT to tcp:127.0.0.1:PORT",
        ">>> request",
        "           > GET / HTTP/1.1",
        "           > Host: 127.0.0.1:PORT",
        "           > User-Agent: labnet/V",
        "           > Connection: close",
        "           >",
        next(line for line in withoutTimes(got.stdout).splitlines() if "request sent" in line),
        "<<< piece 1, 59 bytes",
        "      head < HTTP/1.1 200 OK",
        "           < Transfer-Encoding: chunked",
        "           <",
        "!!! lines of the head end with LF alone, not CR LF (RFC 9112, 2.2)",
        "           --- head complete, 44 bytes",
        "           --- chunked: the body ends with its last chunk",
        '           --- a chunk of 5 bytes: "5"',
        "      body < hello",
        "           --- end of the chunk of 5 bytes",
        '           --- the last chunk: "0"',
        "--- body complete, 5 bytes; known by the last chunk",
        "--- the server closed the connection; 59 bytes received in 1 piece",
    ]
    assert re.search(r"(?m)^whole body +\d+\.\d ms +\d+\.\d ms +=+$", got.stdout)


def test_rawIsExactlyWhatCame() -> None:
    with serving(
        SERVER, r"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\r\n\x1b\r\n0\r\n\r\n"
    ) as server:
        got = subprocess.run(
            [sys.executable, "-m", "labnet", "get", "--raw", f"127.0.0.1:{portOf(server)}"],
            capture_output=True,
            env=ENVIRONMENT,
            timeout=PATIENCE,
            check=True,
        )
    assert got.stdout == b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\r\n\x1b\r\n0\r\n\r\n"


def test_aRedirection() -> None:
    """It is an answer, unless it is to be followed; a circle ends."""
    with serving(SERVER, r"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\ngone") as server:
        url = f"http://127.0.0.1:{portOf(server)}/"
        assert get(url).stdout == "gone"
        circle = get(url, "--follow", "3")
        assert (circle.returncode, circle.stdout) == (1, "")
        assert f"sent elsewhere more than 3 times, at last to {url}again" in circle.stderr
        assert len([line for line in server.output if line.startswith("request")]) == 5


# Our own server, and curl beside us.


#: What comes of each broken answer: our exit status, curl's (one of these: to some versions a head that is
#: cut is nothing wrong), and what we say.
LAME_OUTCOMES = {
    "no-length": (0, (0,), ""),
    "line-feeds": (0, (0,), "lines of the head end with LF alone"),
    "early-close": (
        5,
        (0, 8, 52, 56),
        "the head is cut: 42 bytes of it came, then the connection was closed",
    ),
    "too-long": (
        5,
        (18,),
        "the body is cut: 25 of 125 bytes came (Content-Length), then the connection was",
    ),
    "too-short": (0, (0,), "the server goes on after the end of the body: 10 bytes more"),
    "never-ends": (4, (28,), "timed out: not complete in 0.5 s; of the body 25 bytes came"),
    "slow": (4, (28,), "timed out: not complete in 0.5 s; 1 byte of the head came"),
}


@pytest.mark.parametrize("name", sorted(LAME))
def test_everyLameAnswerEndsWithAClearStatement(web: str, name: str) -> None:
    """The pages are those that curl gets, and what is cut for one is so for the other."""
    ours, theirs, sentence = LAME_OUTCOMES[name]
    got = get(f"{web}/lame/{name}", "-m", "0.5")
    command = [need("curl"), "-s", "--noproxy", "*", "-m", "0.5", f"{web}/lame/{name}"]
    curl = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE, check=False
    )
    assert got.returncode == ours
    assert got.stdout == curl.stdout
    assert (sentence in got.stderr) if sentence else (got.stderr == "")
    assert curl.returncode in theirs


def test_theRequestIsWhatItSays(web: str) -> None:
    got = get(f"{web}/request", "-H", "X-Mine: yes", "-H", "User-Agent:", "-i")
    assert got.stdout.startswith("HTTP/1.0 200 OK\n")
    assert "X-Mine: yes" in got.stdout
    assert "User-Agent" not in got.stdout
    refused = get(web, "-d", "a=b", "--fail")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "labnet get: the server answered 405 Method Not Allowed\n"
    assert get(web, "-d", "a=b").returncode == 0


# Python's server, files, limits.


def test_aFileIsSavedWholeOrNotAtAll(python: str, site: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.bin"
    large = site.joinpath("large.bin").read_bytes()
    assert get(f"{python}/large.bin", "--max-size", "1000000", "-o", str(target)).returncode == 1
    assert list(tmp_path.iterdir()) == []
    assert get(f"{python}/none", "--fail", "-o", str(target)).returncode == 1
    assert list(tmp_path.iterdir()) == []
    got = get(f"{python}/large.bin", "-o", str(target))
    assert (got.returncode, got.stdout, got.stderr) == (0, "", "")
    assert target.read_bytes() == large
    again = get(f"{python}/page.html", "-o", str(target))
    assert (again.returncode, target.read_bytes()) == (2, large)
    assert "--replace" in again.stderr
    assert get(f"{python}/page.html", "-o", str(target), "--replace").returncode == 0
    assert target.read_text() == "<h1>A page</h1>\n"
    assert list(tmp_path.iterdir()) == [target]


def test_aSlowReaderGetsEverything(python: str, site: Path) -> None:
    """What nobody reads yet holds the server back, and is not lost."""
    reader = "import sys, time; time.sleep(0.5); sys.stdout.write(str(len(sys.stdin.buffer.read())))"
    command = [sys.executable, "-m", "labnet", "get", f"{python}/large.bin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as getting:
        counted = subprocess.run(
            [sys.executable, "-c", reader],
            stdin=getting.stdout,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert getting.wait(PATIENCE) == 0
    assert counted.stdout == "5000000"


def test_whenNobodyReadsItIsABrokenPipe(python: str) -> None:
    command = [sys.executable, "-m", "labnet", "get", f"{python}/large.bin"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as getting:
        assert getting.stdout is not None
        assert getting.stderr is not None
        getting.stdout.read(10)
        getting.stdout.close()
        assert getting.wait(PATIENCE) == 7
        assert getting.stderr.read() == b"labnet get: broken pipe: the reader has gone\n"


def test_whenNobodyReadsTheTraceItIsABrokenPipeToo(web: str) -> None:
    """Also when that is known before there is a connection."""
    command = [sys.executable, "-m", "labnet", "get", f"{web}/lame/never-ends", "--trace"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        ended = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            timeout=PATIENCE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (7, "labnet get: broken pipe: the reader has gone\n")


def test_headAndRedirection(python: str) -> None:
    head = get(f"{python}/page.html", "-I")
    assert head.stdout.startswith("HTTP/1.0 200 OK\n")
    assert "Content-Length: 16\n" in head.stdout
    assert "A page" not in head.stdout
    listing = get(f"{python}/folder", "--follow", "1", "--timing")
    assert "Directory listing for /folder/" in listing.stdout
    assert "whole body" in listing.stderr


def test_dataFromStandardInput() -> None:
    with serving(SERVER, r"HTTP/1.0 200 OK\r\n\r\n") as server:
        get(f"http://127.0.0.1:{portOf(server)}/", "-d", "@-", stdin="from a pipe")
        request = server.waitFor(r"^request b'(.*)'")[1]
    assert request.startswith("POST / ")
    assert "Content-Length: 11" in request


# Errors of the way there.


def test_nobodyListens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        got = get(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert (got.returncode, got.stdout) == (3, "")
    assert "connection refused" in got.stderr


def test_nobodyHasThatName() -> None:
    got = get("http://nobody.invalid/", "--trace")
    assert got.returncode == 6
    assert "looking up nobody.invalid" in got.stdout


# TLS.


@pytest.mark.parametrize("end", ["notify", "close"])
def test_tls(certificate: Certificate, end: str) -> None:
    """Who is not trusted, or has another name, is refused; an end without close_notify is none."""
    with serving(TLS_SERVER, str(certificate.file), str(certificate.key), end) as server:
        port = portOf(server)
        refused = get(f"https://localhost:{port}/")
        assert refused.returncode == 9
        assert "signed by itself" in refused.stderr
        trust = ["--cafile", str(certificate.file)]
        other = get(f"https://127.0.0.1:{port}/", *trust)
        assert other.returncode == 9
        assert "not made out to '127.0.0.1'" in other.stderr
        for arguments in ([f"https://localhost:{port}/", *trust], [f"https://127.0.0.1:{port}/", "-k"]):
            got = get(*arguments)
            assert got.stdout == "over TLS\n"
            assert got.returncode == (0 if end == "notify" else 5)
            assert ("close_notify" in got.stderr) is (end == "close")
        traced = get(f"https://localhost:{port}/", *trust, "--trace")
        assert "the certificate is good" in traced.stdout
        assert re.search(r"(?m)^TLS +", traced.stdout)


# Through the proxy.


def test_throughTheProxy(web: str, certificate: Certificate, tmp_path: Path) -> None:
    """A page, a page over TLS in a tunnel, and no password anywhere."""
    arguments = ["labnet-proxy", "--listen", "tcp:0", "--connect-port", "any"]
    with (
        Twistd(tmp_path, *arguments) as proxy,
        serving(TLS_SERVER, str(certificate.file), str(certificate.key), "notify") as origin,
    ):
        way = ["--proxy", f"http://me:hunter2@127.0.0.1:{proxy.port('proxy')}", "--trace"]
        plain = get(f"{web}/request", *way)
        assert plain.returncode == 0
        assert f"> GET {web}/request HTTP/1.1" in plain.stdout
        assert "Via: 1.1 labnet" in plain.stdout
        url = f"https://localhost:{portOf(origin)}/"
        tunnelled = get(url, *way, "--cafile", str(certificate.file))
        assert tunnelled.returncode == 0, tunnelled.stderr
        assert "the proxy has made a tunnel to localhost:" in tunnelled.stdout
        assert "over TLS" in tunnelled.stdout
        assert re.search(r"(?m)^tunnel +.*\n^TLS +", tunnelled.stdout)
        refused = get(url, *way)
        assert refused.returncode == 9
        for run in (plain, tunnelled, refused):
            assert "hunter2" not in run.stdout + run.stderr
            assert "Proxy-Authorization: (not shown)" in run.stdout


def test_asAPlugin(web: str, tmp_path: Path) -> None:
    with Running(
        [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=", "labnet-web-client", web],
        cwd=tmp_path,
    ) as running:
        running.waitFor("<h1>Hello World</h1>")
        assert running.wait() == 0
