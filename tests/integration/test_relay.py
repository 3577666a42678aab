"""
The relay between real programs: the course's chain, streams, and datagrams.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, eventually, need, student

CLIENT = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for expression in sys.argv[2:]:
    a, op, b = expression.split()
    s.sendall(struct.pack("ii1s", int(a), int(b), op.encode()))
    result, _, mark = struct.unpack("ii1s", s.recv(9))
    print(result, mark.decode())
s.close()
"""

# Takes the first "lost" datagrams and says nothing, as if they had never come.
UDP_SERVER = """
import socket, struct, sys
lost = int(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("listens on udp:127.0.0.1:%d" % s.getsockname()[1], flush=True)
while True:
    data, address = s.recvfrom(1024)
    a, b, op = struct.unpack("ii1s", data)
    print("got", a, op.decode(), b, flush=True)
    if lost:
        lost -= 1
        continue
    result = {b"+": a + b, b"-": a - b, b"*": a * b}[op]
    s.sendto(struct.pack("ii1s", result, 0, b"R"), address)
"""

UDP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for word in sys.argv[2:]:
    s.sendto(word.encode(), ("127.0.0.1", int(sys.argv[1])))
    print(s.recvfrom(1024)[0].decode())
"""

UDP_ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("listens on udp:127.0.0.1:%d" % s.getsockname()[1], flush=True)
while True:
    data, address = s.recvfrom(1024)
    print("from", address[1], flush=True)
    s.sendto(data.upper(), address)
"""


def program(source: str, *arguments: str) -> Running:
    return Running([sys.executable, "-c", source, *arguments])


def portOf(running: Running) -> int:
    return int(running.waitFor(r"listens on udp:127\.0\.0\.1:(\d+)")[1])


def relay(directory: Path, to: str, *options: str) -> Twistd:
    if "--listen" not in options:
        options = ("--listen", "tcp:0", *options)
    return Twistd(directory, "labnet-relay", "--to", to, *options)


def unusedPort(kind: int) -> socket.socket:
    """A port that nobody else gets while this socket is open."""
    reserved = socket.socket(socket.AF_INET, kind)
    reserved.bind(("127.0.0.1", 0))
    return reserved


# TCP to UDP


def test_theChainToOurCalculator(tmp_path: Path) -> None:
    with Twistd(tmp_path, "labnet-calculator", "--listen", "udp:0") as calculator:
        port = calculator.port("calculator", "udp")
        with relay(tmp_path, f"udp:127.0.0.1:{port}") as running:
            asked = student(CLIENT, str(running.port("relay")), "12 + 34", "7 - 10", "1 / 0", "6 * 7")
            assert asked.stdout.splitlines() == ["46 R", "-3 R", "0 E", "42 R"], asked.stderr
            running.waitFor(r"4 requests, 36 bytes in, 36 out; closed by the peer")


def test_theChainToAStudentsServerAcrossALostDatagram(tmp_path: Path) -> None:
    with (
        program(UDP_SERVER, "1") as server,
        relay(tmp_path, f"udp:127.0.0.1:{portOf(server)}", "--timeout", "1") as running,
    ):
        asked = student(CLIENT, str(running.port("relay")), "12 + 34", "3 * 4")
        assert asked.stdout.splitlines() == ["46 R", "12 R"], asked.stderr
        running.waitFor(r"2 requests, (1 retry|[2-9] retries)")
        assert server.text.count("got 12 + 34") >= 2


def test_noServerIsAnErrorReplyAndTheRelayLivesOn(tmp_path: Path) -> None:
    with unusedPort(socket.SOCK_DGRAM) as reserved:
        port = reserved.getsockname()[1]
        # The socket is there and nobody reads it: nothing comes back.
        with relay(tmp_path, f"udp:127.0.0.1:{port}", "--timeout", "0.05", "--tries", "2") as running:
            asked = student(CLIENT, str(running.port("relay")), "12 + 34")
            assert asked.stdout.split() == ["0", "E"], asked.stderr
            running.waitFor(r"1 retry, 1 unanswered \(timed out")
            reserved.close()
            # Now nobody listens at all, and the system says so.
            asked = student(CLIENT, str(running.port("relay")), "1 + 1")
            assert asked.stdout.split() == ["0", "E"], asked.stderr
            running.waitFor(r"1 unanswered \(connection refused")


def test_cacheAndTampering(tmp_path: Path) -> None:
    with program(UDP_SERVER, "0") as server:
        to = f"udp:127.0.0.1:{portOf(server)}"
        with relay(tmp_path, to, "--cache-ttl", "3600", "--tamper", "a=+1,op=*") as running:
            asked = student(CLIENT, str(running.port("relay")), "1 + 5", "1 + 5", "2 + 5")
            assert asked.stdout.splitlines() == ["10 R", "10 R", "15 R"], asked.stderr
            running.waitFor(r'"1 \+ 5" becomes "2 \* 5"')
            running.waitFor(r"3 requests, cache 1 hits 2 misses, 3 tampered with")
        assert server.text.count("got") == 2


def test_byteByByteAndManyAtOnce(tmp_path: Path) -> None:
    with (
        program(UDP_SERVER, "0") as server,
        relay(tmp_path, f"udp:127.0.0.1:{portOf(server)}", "--pipeline", "4") as running,
        socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in struct.pack("<ii1s", 12, 34, b"+"):
            client.sendall(bytes([byte]))
        client.sendall(b"".join(struct.pack("<ii1s", n, 1, b"+") for n in range(200)))
        client.shutdown(socket.SHUT_WR)
        answers = client.makefile("rb").read()
    results = [result for result, _, _ in struct.iter_unpack("<ii1s", answers)]
    assert results == [46, *range(1, 201)]


def test_stoppingAnswersWhatWasReceived(tmp_path: Path) -> None:
    with (
        unusedPort(socket.SOCK_DGRAM) as server,
        relay(tmp_path, f"udp:127.0.0.1:{server.getsockname()[1]}", "--timeout", "60") as running,
        socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE) as client,
    ):
        server.settimeout(PATIENCE)
        client.sendall(struct.pack("<ii1s", 12, 34, b"+"))
        _, way = server.recvfrom(1024)
        running.process.send_signal(signal.SIGTERM)
        running.waitFor("Received SIGTERM")
        server.sendto(struct.pack("<ii1s", 46, 0, b"R"), way)
        assert client.recv(100) == struct.pack("<ii1s", 46, 0, b"R")
        assert client.recv(100) == b""
        running.wait()
        running.waitFor("1 request, 9 bytes in, 9 out; service stopped")


# TCP to TCP


SIZE = 20 * 1024 * 1024


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def readAll(connection: socket.socket) -> bytes:
    """Everything up to the other side's end."""
    with connection.makefile("rb") as stream:
        return stream.read()


@pytest.mark.parametrize("originFirst", [False, True])
def test_muchInBothDirectionsAndHalfClose(tmp_path: Path, originFirst: bool) -> None:
    """
    One side sends 20 MiB and ends its half; only then the other sends its 20 MiB back the other way.
    """
    up, down = os.urandom(SIZE), os.urandom(SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        to = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        with relay(tmp_path, to) as running:
            with socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE) as client:
                origin, _ = listener.accept()
                origin.settimeout(PATIENCE)
                sides = (origin, client) if originFirst else (client, origin)
                got: list[str] = []

                def second() -> None:
                    got.append(sha256(readAll(sides[1])))
                    sides[1].sendall(down)
                    sides[1].shutdown(socket.SHUT_WR)

                with origin:
                    thread = threading.Thread(target=second)
                    thread.start()
                    sides[0].sendall(up)
                    sides[0].shutdown(socket.SHUT_WR)
                    back = sha256(readAll(sides[0]))
                    thread.join(PATIENCE)
            assert got == [sha256(up)]
            assert back == sha256(down)
            running.waitFor(rf"{SIZE} bytes in, {SIZE} out; ended by both sides")


def test_bothDirectionsAtOnce(tmp_path: Path) -> None:
    up, down = os.urandom(SIZE), os.urandom(SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        to = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        with relay(tmp_path, to) as running:
            client = socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE)
            origin, _ = listener.accept()
            origin.settimeout(PATIENCE)

            def send(connection: socket.socket, data: bytes) -> None:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)

            got: dict[str, str] = {}

            def read(connection: socket.socket, name: str) -> None:
                got[name] = sha256(readAll(connection))

            threads = [
                threading.Thread(target=send, args=(client, up)),
                threading.Thread(target=send, args=(origin, down)),
                threading.Thread(target=read, args=(client, "client")),
                threading.Thread(target=read, args=(origin, "origin")),
            ]
            with client, origin:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(PATIENCE)
            assert got == {"client": sha256(down), "origin": sha256(up)}


@pytest.mark.parametrize("readerIsClient", [False, True])
def test_whoDoesNotReadHoldsTheOtherSideBack(tmp_path: Path, readerIsClient: bool) -> None:
    """
    A sender into a relay whose other side does not read is stopped after what the buffers hold, and the
    relay keeps no more than that: it would take hundreds of MiB otherwise.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with relay(tmp_path, f"tcp:127.0.0.1:{listener.getsockname()[1]}") as running:
            client = socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE)
            origin, _ = listener.accept()
            sender = origin if readerIsClient else client
            with client, origin:
                sender.settimeout(1.0)
                sent = 0
                piece = bytes(1024 * 1024)
                try:
                    while sent < 300 * len(piece):
                        sent += sender.send(piece)
                except TimeoutError:
                    pass
                memory = Path(f"/proc/{running.process.pid}/status").read_text()
                resident = int(memory.partition("VmRSS:")[2].split()[0])
                assert sent < 60 * len(piece)
                assert resident < 200 * 1024


def test_aResetIsCarriedBothWays(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with relay(tmp_path, f"tcp:127.0.0.1:{listener.getsockname()[1]}") as running:
            for number in range(2):
                client = socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE)
                origin, _ = listener.accept()
                origin.settimeout(PATIENCE)
                # What has come through shows that the relay has both connections.
                client.sendall(b"x")
                assert origin.recv(1) == b"x"
                ending, other = (client, origin) if number else (origin, client)
                ending.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                ending.close()
                with other, pytest.raises(ConnectionResetError):
                    other.recv(1)


def test_noOriginIsAReset(tmp_path: Path) -> None:
    with (
        unusedPort(socket.SOCK_STREAM) as reserved,
        relay(tmp_path, f"tcp:127.0.0.1:{reserved.getsockname()[1]}") as running,
    ):
        client = socket.create_connection(("127.0.0.1", running.port("relay")), PATIENCE)
        with client, pytest.raises(ConnectionResetError):
            client.recv(1)
        running.waitFor("no origin: connection refused")


def test_socatThroughTheRelay(tmp_path: Path) -> None:
    """A program of somebody else's, which ends its half after its input and waits for the answer."""
    socat = need("socat")
    data = os.urandom(3_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def digest() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                connection.sendall(sha256(readAll(connection)).encode())

        thread = threading.Thread(target=digest)
        thread.start()
        with relay(tmp_path, f"tcp:127.0.0.1:{listener.getsockname()[1]}") as running:
            there = f"TCP:127.0.0.1:{running.port('relay')}"
            done = subprocess.run(
                [socat, "-t", "30", "-", there],
                input=data,
                capture_output=True,
                env=ENVIRONMENT,
                timeout=PATIENCE,
                check=True,
            )
        thread.join(PATIENCE)
    assert done.stdout.decode() == sha256(data)


def test_descriptorsComeBack(tmp_path: Path) -> None:
    """After hundreds of clients that vanish in every way the relay has as many descriptors as before."""
    with socket.create_server(("127.0.0.1", 0), backlog=400) as listener:
        listener.settimeout(PATIENCE)
        with relay(tmp_path, f"tcp:127.0.0.1:{listener.getsockname()[1]}") as running:
            port = running.port("relay")
            descriptors = Path(f"/proc/{running.process.pid}/fd")
            # The first one shows that the reactor runs, which opens descriptors of its own when it starts.
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            listener.accept()[0].close()
            running.waitFor("ended by both sides")
            before = len(list(descriptors.iterdir()))
            for number in range(200):
                client = socket.create_connection(("127.0.0.1", port), PATIENCE)
                if number % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                listener.accept()[0].close()
            eventually(lambda: len(list(descriptors.iterdir())) == before, "the descriptors came back")


# UDP to UDP


def test_twoUDPClientsAndAStudentsServer(tmp_path: Path) -> None:
    with program(UDP_ECHO) as server:
        to = f"udp:127.0.0.1:{portOf(server)}"
        with relay(tmp_path, to, "--listen", "udp:0", "--expire", "0.5") as running:
            port = str(running.port("relay", "udp"))
            anna = student(UDP_CLIENT, port, "anna", "again")
            berta = student(UDP_CLIENT, port, "berta")
            assert anna.stdout.split() == ["ANNA", "AGAIN"], anna.stderr
            assert berta.stdout.split() == ["BERTA"], berta.stderr
            running.waitFor(r"2 datagrams in, 2 out; silent for 0\.5 s")
            running.waitFor(r"1 datagram in, 1 out; silent for 0\.5 s")
        first, second, third = (line for line in server.output if line.startswith("from"))
        assert first == second != third


def test_udpToOurCalculatorWithTampering(tmp_path: Path) -> None:
    with Twistd(tmp_path, "labnet-calculator", "--listen", "udp:0") as calculator:
        to = f"udp:127.0.0.1:{calculator.port('calculator', 'udp')}"
        with (
            relay(tmp_path, to, "--listen", "udp:0", "--tamper", "b=0") as running,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            client.settimeout(PATIENCE)
            client.sendto(struct.pack("<ii1s", 12, 34, b"+"), ("127.0.0.1", running.port("relay", "udp")))
            assert client.recv(100) == struct.pack("<ii1s", 12, 0, b"R")


# What does not start


def test_aMistakeIsOneLine(tmp_path: Path) -> None:
    running = relay(tmp_path, "tcp:127.0.0.1:9", "--listen", "udp:0")
    running.wait()
    assert "UDP can only be relayed --to udp:HOST:PORT" in running.text
    assert "Traceback" not in running.text


def test_aPortInUse(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = relay(tmp_path, "udp:127.0.0.1:9", "--listen", f"tcp:{taken.getsockname()[1]}")
        assert running.wait() == 1
        assert "cannot listen on" in running.text
        assert "Traceback" not in running.text
