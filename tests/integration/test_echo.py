"""
The echoes and their client as real processes, against plain-socket programs as students write them; and
what becomes of a forged datagram.
"""

from __future__ import annotations

import re
import signal
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.processes import PATIENCE, Running, Twistd, eventually, labnet, student

TCP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for message in sys.argv[2:]:
    s.sendall(message.encode())
    print(s.recv(1024).decode())
s.close()
"""

UDP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
for message in sys.argv[2:]:
    s.sendto(message.encode(), ("127.0.0.1", int(sys.argv[1])))
    try:
        data, address = s.recvfrom(1024)
        print(data.decode())
    except socket.timeout:
        print("No response from server")
s.close()
"""

FRAMED_CLIENT = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for message in sys.argv[2:]:
    data = message.encode()
    s.sendall(struct.pack(">I", len(data)) + data)
    n, = struct.unpack(">I", s.recv(4))
    print(s.recv(n).decode())
s.close()
"""

# Its answer is an expression of data; it serves one client after the other.
TCP_SERVER = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(1)
print("port", s.getsockname()[1])
while True:
    c, address = s.accept()
    while True:
        data = c.recv(1024)
        if not data:
            break
        c.sendall(eval(sys.argv[1]))
        if "once" in sys.argv:
            break
    c.close()
"""

UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("port", s.getsockname()[1])
while True:
    data, address = s.recvfrom(1024)
    s.sendto(eval(sys.argv[1]), address)
"""

# An echo that says something first, to whom it is told, as if a forged datagram had made that one say it;
# it answers what comes until nothing does, and tells how much came.
TALKATIVE = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
s.settimeout(0.5)
for i in range(int(sys.argv[3])):
    s.sendto(b"hello %d" % i, ("127.0.0.1", int(sys.argv[1])))
count = 0
try:
    while count < 100000:
        data, address = s.recvfrom(1024)
        count += 1
        s.sendto(eval(sys.argv[2]), address)
except socket.timeout:
    pass
print(count)
"""

STYLES = ("prefix", "upper", "ack", "raw")
ANSWERS = {"prefix": "Echo: héllo", "upper": "HÉLLO", "raw": "héllo"}


def printed(source: str, *arguments: object) -> str:
    """What a student's program prints."""
    done = student(source, *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def serving(directory: Path, *listen: str) -> Twistd:
    arguments = [word for description in listen for word in ("--listen", description)]
    return Twistd(directory, "labnet-echo", *arguments)


def plain(source: str, *arguments: str) -> Running:
    """A student's server; it says on which port."""
    return Running([sys.executable, "-c", source, *arguments])


def said(port: int, *arguments: str, transport: str = "tcp", stdin: str = "") -> str:
    """What our command prints."""
    done = labnet("echo", "--connect", f"{transport}:127.0.0.1:{port}", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Plain programs against ours


def test_aStudentsClientsOverTCP(tmp_path: Path) -> None:
    with serving(tmp_path, *(f"{style}=tcp:0" for style in STYLES)) as server:
        for style, answer in ANSWERS.items():
            port = server.port(f"echo ({style})")
            assert printed(TCP_CLIENT, port, "héllo", "héllo") == f"{answer}\n{answer}\n"
        assert printed(TCP_CLIENT, server.port("echo (ack)"), "héllo") == "Message received!\n"


def test_aStudentsClientsOverUDP(tmp_path: Path) -> None:
    """Ten times the same is as good as ten different ones."""
    with serving(tmp_path, *(f"{style}=udp:0" for style in STYLES)) as server:
        for style in STYLES:
            port = server.port(f"echo ({style})", "udp")
            answer = ANSWERS.get(style, "ACK: Message received!")
            assert printed(UDP_CLIENT, port, *["héllo"] * 10) == f"{answer}\n" * 10


def test_aStudentsFramedClient(tmp_path: Path) -> None:
    with serving(tmp_path, "framed=tcp:0") as server:
        port = server.port("echo (framed)")
        assert printed(FRAMED_CLIENT, port, "one", "two words") == "one\ntwo words\n"


def test_lines(tmp_path: Path) -> None:
    with (
        Twistd(tmp_path, "labnet-echo", "--line", "--listen", "tcp:0") as server,
        calling(server) as client,
    ):
        for byte in b"one\ntwo\r\nthree":
            client.sendall(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == b"Echo: one\nEcho: two\r\nEcho: three"


def calling(server: Twistd) -> socket.socket:
    """A connection to the only echo of a server."""
    client = socket.create_connection(("127.0.0.1", server.port("echo")))
    client.settimeout(PATIENCE)
    return client


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def test_oneMebibyteInAFrame(tmp_path: Path) -> None:
    payload = bytes(range(256)) * 4096
    message = struct.pack(">I", len(payload)) + payload
    with serving(tmp_path, "framed=tcp:0") as server, calling(server) as client:
        threading.Thread(target=client.sendall, args=(message,), daemon=True).start()
        answer = bytearray()
        while len(answer) < len(message):
            answer += client.recv(65_536)
        assert bytes(answer) == message


def test_anAcknowledgementSurvivesWhatFollowsTheMessage(tmp_path: Path) -> None:
    """Much more than one read delivers, and the client still reads the answer and a clean end."""
    with serving(tmp_path, "ack=tcp:0") as server:
        for _ in range(20):
            with calling(server) as client:
                client.sendall(b"x" * 500_000)
                assert everything(client) == b"Message received!"


def memory(process: Running) -> int:
    """The resident memory of a process in bytes."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


@pytest.mark.parametrize("style", ["raw", "prefix", "upper"])
def test_whoDoesNotReadIsNotReadFrom(tmp_path: Path, style: str) -> None:
    """
    A client sends as long as it can without reading: that ends when both sides' buffers are full, far
    below what it would like to send, and the server's memory stays what it was. Then it reads, and
    everything comes.
    """
    with serving(tmp_path, f"{style}=tcp:0") as server:
        port = server.port("echo")
        assert printed(TCP_CLIENT, port, "warm up")
        before = memory(server)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(1.0)
            sent = 0
            with suppress(TimeoutError):
                while sent < 200_000_000:
                    sent += client.send(b"x" * 65_536)
            assert sent < 50_000_000
            assert memory(server) - before < 20_000_000
            assert printed(TCP_CLIENT, port, "others are served").endswith("served\n") or style == "upper"
            client.settimeout(PATIENCE)
            client.shutdown(socket.SHUT_WR)
            answer = everything(client)
            assert answer.count(b"x" if style != "upper" else b"X") == sent


def test_manyThatOnlyConnectOrReset(tmp_path: Path) -> None:
    """300 that are idle, 400 that reset: the service answers, and all descriptors come back."""
    with serving(tmp_path, "raw=tcp:0", "raw=udp:0") as server:
        port = server.port("echo")
        assert printed(TCP_CLIENT, port, "ready") == "ready\n"
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for _ in range(400):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"x")
        assert printed(TCP_CLIENT, port, "alive") == "alive\n"
        for client in idle:
            client.close()
        eventually(lambda: len(list(descriptors.iterdir())) <= before, "all descriptors are closed")


def test_aMessageInFlightIsAnsweredOnSIGTERM(tmp_path: Path) -> None:
    with serving(tmp_path, "framed=tcp:0") as server, calling(server) as client:
        client.sendall(b"\0\0\0\1x")
        assert client.recv(9) == b"\0\0\0\1x"  # Its reactor runs.
        client.sendall(b"\0\0\0\5hel")
        server.process.send_signal(signal.SIGTERM)
        server.waitFor("Port .* Closed")
        client.sendall(b"lo")
        assert everything(client) == b"\0\0\0\5hello"


# Our client against plain programs, and against ours


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("b'Echo: ' + data", "Echo: hello\n"),
        ("data.upper()", "HELLO\n"),
        ("data", "hello\n"),
        ("b'You said: ' + data", "You said: hello\n"),
        ("b'Thanks for ' + bytes([27]) + b'[2J'", "Thanks for \\x1b[2J\n"),
    ],
)
def test_aStudentsServers(answer: str, expected: str) -> None:
    with plain(TCP_SERVER, answer) as tcp, plain(UDP_SERVER, answer) as udp:
        assert said(int(tcp.waitFor(r"port (\d+)")[1]), "hello") == expected
        assert said(int(udp.waitFor(r"port (\d+)")[1]), "hello", transport="udp") == expected


def test_aStudentsServerThatClosesAfterEachAnswer() -> None:
    """Each line gets a connection of its own, then."""
    with plain(TCP_SERVER, "b'Message received!'", "once") as server:
        port = int(server.waitFor(r"port (\d+)")[1])
        assert said(port, stdin="one\ntwo\nthree\n") == "Message received!\n" * 3


def test_aStudentsFramedServer() -> None:
    with plain(TCP_SERVER, "data") as server:
        port = int(server.waitFor(r"port (\d+)")[1])
        assert said(port, "--framed", stdin="one\ntwo\n") == "one\ntwo\n"


def test_noResponseFromServer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = f"udp:127.0.0.1:{silent.getsockname()[1]}"
        done = labnet("echo", "--connect", where, "--timeout", "0.1", "hello")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "labnet echo: No response from server\n"


def test_nobodyListens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for transport in ("tcp", "udp"):
        done = labnet("echo", "--connect", f"{transport}:127.0.0.1:{port}", "hello")
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("labnet echo: connection refused")


def test_ourClientWithOurServers(tmp_path: Path) -> None:
    listen = [f"{style}=tcp:0" for style in (*STYLES, "framed")]
    with serving(tmp_path, *listen) as server:
        for style, answer in ANSWERS.items():
            assert said(server.port(f"echo ({style})"), "héllo") == f"{answer}\n"
        assert said(server.port("echo (ack)"), stdin="a\nb\n") == "Message received!\n" * 2
        assert said(server.port("echo (framed)"), "--framed", "héllo") == "héllo\n"


def test_theClientAsAPlugin(tmp_path: Path) -> None:
    with serving(tmp_path, "prefix=tcp:0") as server:
        where = f"tcp:127.0.0.1:{server.port('echo')}"
        with Twistd(tmp_path, "labnet-echo-client", "--connect", where, "hello") as client:
            assert client.wait() == 0
    assert "Echo: hello" in client.output


# Loops


#: What plain echoes answer, and how many datagrams they get of ours at most.
NAIVE = {
    "data": 11,
    "b'Echo: ' + data": 11,
    "data.upper()": 12,
    "b'ACK: Message received!'": 12,
    "b'%d' % count": 1000,
}


def test_aPlainEchoIsNotFed(tmp_path: Path) -> None:
    """
    What a plain echo gets from ours when a forged datagram makes them talk: a few answers, then nothing.
    And ours still serves everybody else.
    """
    with serving(tmp_path, *(f"{style}=udp:0" for style in STYLES)) as server:
        ports = [server.port(f"echo ({style})", "udp") for style in STYLES]
        # Each of ours is fed by one at a time; the four do not wait for one another's silence.
        with ThreadPoolExecutor(len(ports)) as threads:
            for naive, most in NAIVE.items():
                counts = threads.map(
                    lambda port, naive=naive: int(printed(TALKATIVE, port, naive, 1)), ports
                )
                for style, count in zip(STYLES, counts, strict=True):
                    assert 1 <= count <= most, (style, naive)
                for port in ports:
                    assert printed(UDP_CLIENT, port, "hello") != "No response from server\n"


def test_manyForgedAtOnce(tmp_path: Path) -> None:
    """A hundred different datagrams between a plain echo and ours: they share one limit."""
    with serving(tmp_path, "raw=udp:0") as server:
        assert int(printed(TALKATIVE, server.port("echo", "udp"), "data", 100)) <= 1000


@contextmanager
def rawSocket() -> Iterator[socket.socket]:
    """What forges datagrams, and sees all that pass on this machine; only an administrator has it."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        pytest.skip("only an administrator can forge datagrams")
    with raw:
        raw.settimeout(0.5)
        raw.bind(("127.0.0.1", 0))
        yield raw


def forged(raw: socket.socket, payload: bytes, *ways: tuple[int, int]) -> list[int]:
    """
    Forge a datagram for each pair of ports, from the one to the other, and count those between the two
    until there are none.
    """
    for source, target in ways:
        head = struct.pack(">HHHH", source, target, 8 + len(payload), 0)
        raw.sendto(head + payload, ("127.0.0.1", 0))
    counts = {frozenset(way): 0 for way in ways}
    try:
        while sum(counts.values()) < 100_000:
            packet = raw.recv(65_536)
            head = (packet[0] & 15) * 4
            ports = frozenset(struct.unpack(">HH", packet[head : head + 4]))
            if ports in counts:
                counts[ports] += 1
    except TimeoutError:
        pass
    return list(counts.values())


def test_twoOfOursInTwoProcessesFallSilent(tmp_path: Path) -> None:
    """
    One forged datagram from one to the other: 23 at most on the wire, itself included. Each style with each
    other one; in a turn each talks to one.
    """
    second = tmp_path / "second"
    second.mkdir()
    listen = [f"{style}=udp:0" for style in STYLES]
    with rawSocket() as raw, serving(tmp_path, *listen) as one, serving(second, *listen) as two:
        first = [one.port(f"echo ({style})", "udp") for style in STYLES]
        last = deque(two.port(f"echo ({style})", "udp") for style in STYLES)
        for turn in range(len(STYLES)):
            counts = forged(raw, b"hello", *zip(last, first, strict=True))
            assert all(1 <= count <= 23 for count in counts), (turn, counts)
            last.rotate()


def test_twoOfOursInOneProcessSayNothing(tmp_path: Path) -> None:
    """The forged datagram is the only one, also when it claims to come from where it goes."""
    with rawSocket() as raw, serving(tmp_path, "raw=udp:0", "upper=udp:0") as server:
        one, two = server.port("echo (raw)", "udp"), server.port("echo (upper)", "udp")
        assert forged(raw, b"hello", (two, one)) == [1]
        assert forged(raw, b"hello", (one, one)) == [1]


def test_aForgedReservedPortGetsNothing(tmp_path: Path) -> None:
    with rawSocket() as raw, serving(tmp_path, "raw=udp:0") as server:
        ours = server.port("echo", "udp")
        assert forged(raw, b"hello", *((port, ours) for port in (7, 19, 53, 1023))) == [1] * 4
