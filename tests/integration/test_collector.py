"""
The collector and its client as real processes, against plain-socket programs as students write them.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.integration.processes import Running, Twistd, eventually, labnet, student

CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for piece in sys.argv[2:]:
    s.sendall(piece.encode())
s.close()
"""

# It sends one piece for each line that it reads, so that somebody else says when.
PIECEMEAL = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for line in sys.stdin:
    s.sendall(line.rstrip().encode())
    print("sent", flush=True)
s.close()
"""

SERVER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(1)
print("port", s.getsockname()[1])
c, address = s.accept()
while True:
    data = c.recv(1024)
    if not data:
        break
    print("got", data)
c.sendall(b"Thank you")
c.close()
"""


def serving(directory: Path, *options: str) -> Twistd:
    return Twistd(directory, "labnet-collector", "--listen", "tcp:0", *options)


def nothingWaits(port: int) -> bool:
    """Whether all that was sent to this port has arrived and was read, as the kernel has it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines if f":{port:04X} " in line]
    return all(row[4] == "00000000:00000000" for row in rows if row[3] == "01")


def test_aStudentsClientIsCollected(tmp_path: Path) -> None:
    with serving(tmp_path, "--write", "collected") as server:
        port = server.port("collector")
        command = [sys.executable, "-c", PIECEMEAL, str(port)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            for piece in ("one", "two", "three"):
                client.stdin.write(f"{piece}\n")
                assert client.stdout.readline() == "sent\n"
                eventually(lambda: nothingWaits(port), f"{piece} is read")
            client.stdin.close()
        server.waitFor("3 pieces, 11 bytes kept; closed by the peer")
        for number, piece in enumerate(("one", "two", "three"), start=1):
            server.waitFor(rf'piece {number} after .* {len(piece)} bytes: "{piece}"')
        assert tmp_path.joinpath("collected").read_bytes() == b"onetwothree"


def test_aStudentsServerGetsThePieces() -> None:
    with Running([sys.executable, "-c", SERVER]) as server:
        where = "tcp:127.0.0.1:" + server.waitFor(r"port (\d+)")[1]
        done = labnet("collector", "--connect", where, "--pause", "0.2", "one", "two three")
        assert (done.returncode, done.stdout) == (0, "Thank you\n")
        assert server.wait() == 0
    assert [line for line in server.output if line.startswith("got")] == ["got b'one'", "got b'two three'"]


def test_standardInputInPieces(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        where = f"tcp:127.0.0.1:{server.port('collector')}"
        assert labnet("collector", "--connect", where, "--size", "2", stdin="abcde").returncode == 0
        server.waitFor("3 pieces, 5 bytes kept; closed by the peer")


def test_aLargeInputArrivesAsItIs(tmp_path: Path) -> None:
    """Eight megabytes through a pipe and a connection, with no pause."""
    text = "0123456789abcdef" * 500_000
    with serving(tmp_path, "--write", "collected", "--most-bytes", "100000000") as server:
        where = f"tcp:127.0.0.1:{server.port('collector')}"
        assert labnet("collector", "--connect", where, "--pause", "0", stdin=text).returncode == 0
        server.waitFor(f"{len(text)} bytes kept; closed by the peer")
        assert tmp_path.joinpath("collected").read_text() == text


def test_aCollectorThatNeverReadsIsGivenUp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"tcp:127.0.0.1:{silent.getsockname()[1]}"
        options = ("--connect", where, "--pause", "0", "--timeout", "1")
        done = labnet("collector", *options, stdin="x" * 50_000_000)
    assert (done.returncode, done.stdout) == (4, "")
    assert (
        done.stderr == "labnet collector: timed out: no answer came (the collector did not read for 1 s)\n"
    )


def test_theClientAsAPlugin(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        where = f"tcp:127.0.0.1:{server.port('collector')}"
        with Twistd(tmp_path, "labnet-collector-client", "--connect", where, "hello") as client:
            assert client.wait() == 0
        server.waitFor("1 piece, 5 bytes kept")


def test_tooMuchIsCutOffAndOthersAreServed(tmp_path: Path) -> None:
    with serving(tmp_path, "--most-bytes", "1000", "--write", "collected") as server:
        port = server.port("collector")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(30)
            try:
                while True:
                    client.sendall(b"x" * 65_536)
            except OSError:
                pass
        server.waitFor("1000 bytes kept; more than 1000 bytes")
        assert student(CLIENT, str(port), "after").returncode == 0
        server.waitFor("1 piece, 5 bytes kept; closed by the peer")
        assert tmp_path.joinpath("collected").read_bytes() == b"x" * 1000 + b"after"


def test_manyThatAreIdleOrReset(tmp_path: Path) -> None:
    """300 that are idle, 400 that reset: what came is told, and all descriptors come back."""
    with serving(tmp_path) as server:
        port = server.port("collector")
        assert student(CLIENT, str(port), "ready").returncode == 0
        server.waitFor("1 piece, 5 bytes kept")
        descriptors = f"/proc/{server.process.pid}/fd"
        before = len(os.listdir(descriptors))
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for _ in range(400):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"x")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert student(CLIENT, str(port), "alive").returncode == 0
        server.waitFor('5 bytes: "alive"|1 piece, 5 bytes kept')
        for client in idle:
            client.close()
        eventually(lambda: len(os.listdir(descriptors)) <= before, "all descriptors are closed")
