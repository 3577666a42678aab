"""
What every stream and datagram service does among many, slow, unlucky and hostile peers; shown on the
calculator. The services are processes of their own, started and stopped with signals.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Twistd, eventually

REQUEST = struct.pack("<ii1s", 12, 34, b"+")
REPLY = struct.pack("<ii1s", 46, 0, b"R")


@pytest.fixture(autouse=True)
def manyDescriptors() -> Iterator[None]:
    """Thousands of sockets in this process, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Calculator(Twistd):
    """A calculator on one port, with what the system knows of its process."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__(directory, "labnet-calculator", "--listen", "tcp:0", *arguments)
        self.tcp = self.port("calculator")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.tcp), PATIENCE)

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def memory(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def calculates(self) -> None:
        """It is alive, and right."""
        with self.connect() as sock:
            sock.sendall(REQUEST)
            assert readAll(sock, 9) == REPLY


@pytest.fixture
def calculator(tmp_path: Path) -> Iterator[Calculator]:
    """Afterwards it is alive, has the descriptors that it had before, and has written no traceback."""
    with Calculator(tmp_path) as calculator:
        calculator.calculates()
        eventually(lambda: "1 request" in calculator.text, "the first connection is gone")
        before = calculator.descriptors
        yield calculator
        calculator.calculates()
        eventually(lambda: calculator.descriptors == before, f"{before} descriptors again")


def readAll(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer if the stream ends before."""
    data = b""
    while len(data) < size:
        piece = sock.recv(min(65536, size - len(data)))
        if not piece:
            break
        data += piece
    return data


def reset(sock: socket.socket) -> None:
    """End the connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_aThousandClientsByteByByte(calculator: Calculator) -> None:
    """All at the same time, each segment one byte of a request; every one has its own answer."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(calculator.connect()) for _ in range(1000)]
        for client in clients:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        requests = [struct.pack("<ii1s", number, 1, b"+") for number in range(1000)]
        for at in range(9):
            for client, request in zip(clients, requests, strict=True):
                client.sendall(request[at : at + 1])
        for number, client in enumerate(clients):
            assert readAll(client, 9) == struct.pack("<ii1s", number + 1, 0, b"R")


# The end of a service


def test_sigtermLosesNoRequestThatWasReceived(tmp_path: Path) -> None:
    """
    The process is held while its kernel takes requests of many clients for it, some of them more than is
    read in one turn; the first that it finds when it goes on is SIGTERM. All are answered, and then the
    streams end; who was in the middle of a request may complete it.
    """
    with Calculator(tmp_path) as calculator, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(calculator.connect()) for _ in range(50)]
        middle = stack.enter_context(calculator.connect())
        for client in (*clients, middle):
            client.sendall(REQUEST)
            assert readAll(client, 9) == REPLY
        middle.sendall(REQUEST[:4])
        calculator.process.send_signal(signal.SIGSTOP)
        amounts = [1 if number % 10 else 12_000 for number in range(50)]
        for client, amount in zip(clients, amounts, strict=True):
            client.sendall(REQUEST * amount)
        calculator.process.send_signal(signal.SIGTERM)
        calculator.process.send_signal(signal.SIGCONT)
        for client, amount in zip(clients, amounts, strict=True):
            assert readAll(client, 9 * amount + 1) == REPLY * amount
        middle.sendall(REQUEST[4:])
        assert readAll(middle, 10) == REPLY
        calculator.wait()


def test_whoDoesNotCompleteItsRequestIsAbortedAfterTheGraceTime(tmp_path: Path) -> None:
    with Calculator(tmp_path, "--grace", "0.2") as calculator, calculator.connect() as client:
        client.sendall(REQUEST + REQUEST[:4])
        assert readAll(client, 9) == REPLY
        calculator.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        calculator.waitFor("not finished within the grace time")
        calculator.wait()


def test_whileItStopsNobodyNewIsServed(tmp_path: Path) -> None:
    with Calculator(tmp_path, "--grace", "60") as calculator, calculator.connect() as client:
        client.sendall(REQUEST + REQUEST[:4])
        assert readAll(client, 9) == REPLY
        calculator.process.send_signal(signal.SIGTERM)
        calculator.waitFor(r"\(TCP Port \d+ Closed\)|Main loop terminated|Received SIGTERM")

        def refused() -> bool:
            try:
                with calculator.connect() as late:
                    return readAll(late, 1) == b""
            except OSError:
                return True

        eventually(refused, "new connections are refused")
        client.sendall(REQUEST[4:])
        assert readAll(client, 10) == REPLY
        calculator.wait()


def test_idleClientsDoNotDelayTheEnd(tmp_path: Path) -> None:
    """It does not wait for their grace time: a minute is more than this test's patience."""
    with Calculator(tmp_path, "--grace", "60") as calculator, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(calculator.connect()) for _ in range(100)]
        for client in clients:
            client.sendall(REQUEST)
            readAll(client, 9)
        calculator.process.send_signal(signal.SIGTERM)
        assert {client.recv(1) for client in clients} == {b""}
        calculator.wait()


# Hostile and unlucky peers


def test_halfClose(calculator: Calculator) -> None:
    """The answer still arrives, then the end of the stream."""
    with calculator.connect() as client:
        client.sendall(REQUEST * 3)
        client.shutdown(socket.SHUT_WR)
        assert readAll(client, 100) == REPLY * 3


def test_theEndInTheMiddleOfARequest(calculator: Calculator) -> None:
    with calculator.connect() as client:
        client.sendall(REQUEST + REQUEST[:5])
        client.shutdown(socket.SHUT_WR)
        assert readAll(client, 100) == REPLY
    calculator.waitFor("closed in the middle of a request")


def test_resets(calculator: Calculator) -> None:
    """400 clients connect and reset: before a byte, in the middle of a request, with an answer unread."""
    for number in range(400):
        client = calculator.connect()
        if number % 4:
            client.sendall((REQUEST[:4], REQUEST, REQUEST * 100)[number % 4 - 1])
        reset(client)


def test_threeHundredIdleClients(calculator: Calculator) -> None:
    """They cost a descriptor each, and nobody else any time."""
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(calculator.connect())
        eventually(lambda: calculator.descriptors >= 300, "300 connections")
        calculator.calculates()


def test_aMegabyteOfJunk(calculator: Calculator) -> None:
    """In a profile without a delimiter it is requests that nobody understands; each has its error."""
    junk = os.urandom(9) * (2**20 // 9)
    answers = b""
    with calculator.connect() as client, selectors.DefaultSelector() as selector:
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
        sent = 0
        while len(answers) < len(junk):
            for _, events in selector.select(PATIENCE):
                if events & selectors.EVENT_READ:
                    answers += client.recv(65536)
                if events & selectors.EVENT_WRITE:
                    sent += client.send(junk[sent : sent + 65536]) if sent < len(junk) else 0
            if sent >= len(junk):
                selector.modify(client, selectors.EVENT_READ)
    assert {answers[at + 8 : at + 9] for at in range(0, len(answers), 9)} <= {b"E", b"R"}


@pytest.mark.parametrize(
    ("profile", "junk"),
    [
        ("json", b"x" * 2**20),
        ("json", b"{" * 2**20),
        ("framed", b"\xff" * 2**20),
        ("framed", b"\0\0\0\x80"),
    ],
)
def test_junkWithoutAnEndIsTheEnd(tmp_path: Path, profile: str, junk: bytes) -> None:
    """The connection is closed after a limit, whatever the peer still wants to send."""
    with Calculator(tmp_path, "--profile", profile) as calculator, calculator.connect() as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(junk)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
        eventually(lambda: "1 malformed" in calculator.text or "2 malformed" in calculator.text, "a line")


def test_aSlowReaderIsHeldBackAndHurtsNobody(calculator: Calculator) -> None:
    """
    It sends requests and reads no answer: after a few buffers nothing more is taken from it, memory stays
    as it was, the others are served; and once it reads, it gets every answer.
    """
    before = calculator.memory
    with calculator.connect() as slow:
        slow.setblocking(False)
        sent = 0
        block = REQUEST * 7000
        with selectors.DefaultSelector() as selector:
            selector.register(slow, selectors.EVENT_WRITE)
            # Half a second in which nothing is taken is the end: it is held back.
            while sent < 64 * 2**20 and selector.select(0.5):
                offset = sent % len(block)
                sent += slow.send(block[offset:])
        assert sent < 64 * 2**20
        assert calculator.memory - before < 32 * 1024
        calculator.calculates()
        slow.settimeout(PATIENCE)
        whole = sent // 9
        got = 0
        while got < whole * 9:
            piece = slow.recv(2**20)
            assert piece == (REPLY * (len(piece) // 9 + 2))[got % 9 : got % 9 + len(piece)]
            got += len(piece)


def test_limits(tmp_path: Path) -> None:
    """Who is too many is closed at once and counted; a place that becomes free can be had."""
    with Calculator(tmp_path, "--max-per-peer", "2") as calculator:
        first, second = calculator.connect(), calculator.connect()
        for client in (first, second):
            client.sendall(REQUEST)
            assert readAll(client, 9) == REPLY
        with calculator.connect() as third, contextlib.suppress(ConnectionResetError):
            assert third.recv(1) == b""
        first.close()

        def served() -> bool:
            try:
                with calculator.connect() as client:
                    client.sendall(REQUEST)
                    return readAll(client, 9) == REPLY
            except ConnectionError:
                return False

        eventually(served, "the free place is had")
        second.close()
    assert "connections refused" in calculator.text


def test_anIdleClientIsDropped(tmp_path: Path) -> None:
    with Calculator(tmp_path, "--idle-timeout", "0.2") as calculator, calculator.connect() as client:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        calculator.waitFor("idle for 0.2 s")


def test_manyDatagramsOfEveryKind(tmp_path: Path) -> None:
    """Wrong sizes, replies that come back and floods are dropped and counted; good ones are answered."""
    with Twistd(tmp_path, "labnet-calculator", "--listen", "udp:0", "--datagram-rate", "100") as server:
        address = ("127.0.0.1", server.port("calculator", "udp"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.sendto(REQUEST, address)
            assert sock.recv(100) == REPLY
            before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            for datagram in (b"", b"x", REQUEST[:8], REQUEST + b"x", bytes(65_507), REPLY):
                sock.sendto(datagram, address)
            sock.sendto(REQUEST, address)
            assert sock.recv(100) == REPLY
            for _ in range(2000):
                sock.sendto(REQUEST, address)
            assert sock.recv(100) == REPLY
            answers = 1
            sock.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while sock.recv(100):
                    answers += 1
            assert answers < 1000
        assert len(os.listdir(f"/proc/{server.process.pid}/fd")) == before
    assert "no request" in server.text
    assert "above the rate" in server.text


def test_ipv6(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        with Twistd(
            tmp_path, "labnet-calculator", "--listen", "tcp6:0", "--listen", r"udp:0:interface=\:\:1"
        ) as server:
            with socket.create_connection(("::1", server.port("calculator")), PATIENCE) as sock:
                sock.sendall(REQUEST)
                assert readAll(sock, 9) == REPLY
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.settimeout(PATIENCE)
                sock.sendto(REQUEST, ("::1", server.port("calculator", "udp")))
                assert sock.recv(100) == REPLY
        return
    pytest.skip("no IPv6 here")


# What can not start


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    before = ["-n", "--pidfile="] if program == "twistd" else []
    return subprocess.run(
        [BIN / program, *before, "labnet-calculator", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", ["twistd", "twist"])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_aPortInUse(program: str, kind: str) -> None:
    """Is one clear line, an exit status that is not zero, and no traceback."""
    with socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        if kind == "tcp":
            sock.listen()
        port = sock.getsockname()[1]
        result = run(program, "--listen", f"{kind}:{port}")
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "Traceback" not in output
    sentence = f"calculator: cannot listen on 127.0.0.1:{port}: Address already in use"
    assert [line.endswith(sentence) for line in output.splitlines()].count(True) == 1, output


@pytest.mark.parametrize("program", ["twistd", "twist"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--profile", "foo"], "--profile: 'foo' is none of struct9, int4"),
        (["--listen", "foo=tcp:0"], "--listen: 'foo=tcp:0': 'foo' is none of struct9"),
        (["--listen", "nonsense"], "--listen: 'nonsense': Unknown endpoint type: 'nonsense'"),
        (["--listen", "tcp:70000"], "--listen: 'tcp:70000': the port must be a number from 0 to 65535"),
        (["--listen", "udp:0:interface=nobody"], "'nobody' is not an address"),
        (["--grace", "long"], "--grace: 'long' is not a number"),
        (["--division", "true"], "the replies of struct9 are integers"),
        (["--what"], "option --what not recognized"),
    ],
)
def test_aMistakenOption(program: str, arguments: list[str], sentence: str) -> None:
    result = run(program, *arguments)
    output = result.stdout + result.stderr
    assert result.returncode != 0, output
    assert "Traceback" not in output
    assert len([line for line in output.splitlines() if sentence in line]) == 1, output


@pytest.mark.parametrize("program", ["twistd", "twist"])
def test_anInterfaceThatIsNotHere(program: str) -> None:
    result = run(program, "--listen", "tcp:0:interface=192.0.2.1")
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    sentence = "calculator: cannot listen on 192.0.2.1:0: Cannot assign requested address"
    assert [line.endswith(sentence) for line in output.splitlines()].count(True) == 1, output
    assert "Traceback" not in output


# The log


def test_jsonLogs(tmp_path: Path) -> None:
    """Every line is an object; a connection's has its number, its peer, and how it ended."""
    with Twistd(tmp_path, "labnet-calculator", "--listen", "tcp:0", "--json-logs") as server:
        match = server.waitFor(r'"address": "tcp:127.0.0.1:(\d+)"')
        with socket.create_connection(("127.0.0.1", int(match[1])), PATIENCE) as sock:
            sock.sendall(REQUEST)
            assert readAll(sock, 9) == REPLY
        server.waitFor("closed by the peer")
    rows = [json.loads(line) for line in server.output]
    (row,) = [row for row in rows if "outcome" in row]
    assert row["service"] == "calculator"
    assert (row["bytesIn"], row["bytesOut"], row["outcome"]) == (9, 9, "closed by the peer")
    assert row["peer"].startswith("tcp:127.0.0.1:")
    assert isinstance(row["id"], int)
    assert row["level"] == "info"
    assert row["time"].endswith("+00:00")
