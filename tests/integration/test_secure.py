"""
TLS as other programs speak it, and as nobody should, on C{ssl:} listeners of several services.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.certificates import Certificate, certificateIn
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, labnet, need

# 12 + 34 in the dialect "struct9", and its answer.
ASKED = bytes.fromhex("0c000000 22000000 2b")
ANSWERED = bytes.fromhex("2e000000 00000000 52")

WEAK = "aNULL:eNULL:RC4:3DES:EXPORT:MD5:PSK:SRP"

ORIGIN = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a page")
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
print("origin listens on", server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Secured:
    """Services that listen with TLS."""

    certificate: Certificate
    servers: dict[str, Twistd]

    def port(self, name: str) -> int:
        return self.servers[name].port(name)

    def client(self, *offered: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.certificate.file))
        if offered:
            context.set_alpn_protocols(list(offered))
        return context

    def connect(self, name: str, *offered: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port(name)), timeout=PATIENCE)
        return self.client(*offered).wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Patient for longer than a test takes, except the greeting."""
    directory = tmp_path_factory.mktemp("secured")
    certificate = certificateIn(directory)
    with ExitStack() as stack:

        def start(name: str, *options: str, variant: str = "") -> Twistd:
            where = variant + certificate.listen()
            return stack.enter_context(Twistd(directory, f"labnet-{name}", "--listen", where, *options))

        yield Secured(
            certificate,
            {
                "calculator": start("calculator", variant="struct9="),
                "chat": start("chat", variant="web="),
                "proxy": start("proxy"),
                "echo": start("echo", "--idle-timeout", "0.2", variant="raw="),
                "guess": start("guess"),
                "checksum": start("checksum"),
            },
        )


def sClient(port: int, *options: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", *options]
    return subprocess.run(
        command, input=said, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
    )


@pytest.mark.parametrize(
    ("name", "offered", "chosen"),
    [
        ("proxy", ["h2", "http/1.1"], "http/1.1"),
        ("chat", ["http/1.1"], "http/1.1"),
        ("chat", ["h2"], None),
        ("calculator", ["http/1.1"], None),
        ("calculator", ["something", "else"], None),
        ("calculator", [], None),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_whatIsSpokenIsAgreedUpon(
    secured: Secured, name: str, offered: list[str], chosen: str | None, version: ssl.TLSVersion
) -> None:
    """A service of HTTP says so; the others let clients offer what they like."""
    context = secured.client(*offered)
    context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", secured.port(name)), timeout=PATIENCE)
    with context.wrap_socket(plain, server_hostname="localhost") as connection:
        assert connection.selected_alpn_protocol() == chosen
        if name == "calculator":
            connection.sendall(ASKED)
            assert connection.recv(100) == ANSWERED


def test_opensslOffersNames(secured: Secured) -> None:
    assert "ALPN protocol: http/1.1" in sClient(secured.port("chat"), "-alpn", "h2,http/1.1").stdout
    said = sClient(secured.port("calculator"), "-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in said.stdout
    assert said.returncode == 0


def curl(secured: Secured, *arguments: str) -> str:
    command = [need("curl"), "-sS", "--http1.1", "--max-time", str(PATIENCE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curlReadsTheChatsPage(secured: Secured) -> None:
    port = secured.port("chat")
    trusting = ["--cacert", str(secured.certificate.file), "--resolve", f"localhost:{port}:127.0.0.1"]
    assert "<html" in curl(secured, *trusting, f"https://localhost:{port}/")


def test_curlGoesThroughTheProxy(secured: Secured) -> None:
    trusting = ["--proxy-cacert", str(secured.certificate.file)]
    with Running([sys.executable, "-c", ORIGIN]) as origin:
        page = "http://127.0.0.1:" + origin.waitFor(r"listens on (\d+)")[1]
        assert (
            curl(secured, *trusting, "-x", f"https://localhost:{secured.port('proxy')}", page) == "a page"
        )


def test_ourOwnClientTrustsTheCertificateItIsGiven(secured: Secured) -> None:
    question = ["--profile", "struct9", "12", "+", "34"]
    asked = labnet(
        "calculator", "--connect", secured.certificate.connect(secured.port("calculator")), *question
    )
    assert (asked.returncode, asked.stdout) == (0, "46\n"), asked.stderr


def test_ourOwnClientTrustsNoOther(secured: Secured) -> None:
    question = ["--profile", "struct9", "12", "+", "34"]
    asked = labnet("calculator", "--connect", f"tls:localhost:{secured.port('calculator')}", *question)
    assert (asked.returncode, asked.stdout) == (9, "")
    assert "TLS: certificate verify failed" in asked.stderr


def test_aGameIsWon(secured: Secured) -> None:
    played = labnet("guess", "--connect", secured.certificate.connect(secured.port("guess")))
    assert (played.returncode, played.stdout.splitlines()[-1][-10:]) == (0, "yes, I won"), played.stderr


def test_aFileIsCopied(secured: Secured, tmp_path: Path) -> None:
    """The end of the stream, which is the end of the file, is TLS's own; the checksums go over TLS, too."""
    original = tmp_path / "original"
    original.write_bytes(b"\0\xff|KI|" * 500_000)
    checksums = secured.certificate.connect(secured.port("checksum"))
    where = secured.certificate.listen()
    with Twistd(tmp_path, "labnet-netcopy", "--listen", where, "--checksums", checksums) as server:
        to = secured.certificate.connect(server.port("netcopy"))
        sent = labnet("netcopy", str(original), "--connect", to, "--checksums", checksums)
        assert sent.returncode == 0, sent.stderr
        server.waitFor("CSUM OK: 3000000 bytes, md5 " + sent.stdout.split()[-1])


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_versionsOfToday(secured: Secured, version: str) -> None:
    assert sClient(secured.port("calculator"), version).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", f"{WEAK}:@SECLEVEL=0"],
    ],
)
def test_versionsAndCiphersOfYesterday(secured: Secured, options: list[str]) -> None:
    """The server answers with an alert: it is not this machine's OpenSSL that will not even ask."""
    said = sClient(secured.port("calculator"), *options)
    assert said.returncode != 0
    assert "alert" in said.stderr


def test_keysAreAgreedUponOnce(secured: Secured) -> None:
    """C{R} has C{openssl s_client} ask for new ones."""
    said = sClient(secured.port("calculator"), "-tls1_2", said="R\n")
    assert "RENEGOTIATING" in said.stderr + said.stdout
    assert "no renegotiation" in said.stderr


def hello(secured: Secured) -> tuple[ssl.SSLObject, ssl.MemoryBIO, bytes]:
    """A client's side without a socket, what it reads, and its first message."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = secured.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return client, incoming, outgoing.read()


@pytest.mark.parametrize("records", [False, True], ids=["segments", "records"])
def test_aClientHelloByteByByte(secured: Secured, records: bool) -> None:
    """In segments, and in TLS records, of one byte each: the server has something to say to it."""
    client, incoming, message = hello(secured)
    pieces = [message[at : at + 1] for at in range(len(message))]
    if records:
        pieces = [message[:3] + struct.pack("!H", 1) + piece for piece in pieces[5:]]
    with socket.create_connection(("127.0.0.1", secured.port("calculator")), timeout=PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        incoming.write(sock.recv(65536))
        assert client.version() is None
        while client.version() is None:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))


def test_whoNeverSaysHelloIsLeft(secured: Secured) -> None:
    """Nor is there a limit of its own for who stops in the middle: it is as idle as anybody."""
    _, _, message = hello(secured)
    for said in (b"", message[:50]):
        with socket.create_connection(("127.0.0.1", secured.port("echo")), timeout=PATIENCE) as sock:
            sock.sendall(said)
            with pytest.raises(ConnectionResetError):
                assert sock.recv(100)
    secured.servers["echo"].waitFor(r"echo #\d+ .* idle for 0\.2 s")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 300, bytes(range(256))])
def test_plainTextAtASecureDoor(secured: Secured, said: bytes) -> None:
    """One line of the log, in words, and the connection ends."""
    server = secured.servers["calculator"]
    port = secured.port("calculator")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        where = f"tcp:127.0.0.1:{sock.getsockname()[1]}"
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass
    line = server.waitFor(rf"calculator #\d+ {where}: ").string
    assert re.search("; TLS: [a-z ]+ after", line)
    assert sum(where in line for line in server.output) == 1


def test_whoLeavesInTheMiddleOfTheHandshake(secured: Secured) -> None:
    _, _, message = hello(secured)
    server = secured.servers["calculator"]
    with socket.create_connection(("127.0.0.1", secured.port("calculator")), timeout=PATIENCE) as sock:
        where = f"tcp:127.0.0.1:{sock.getsockname()[1]}"
        sock.sendall(message)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.waitFor(rf"calculator #\d+ {where}: .*; lost")
