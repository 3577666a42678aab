"""
The game as real processes, against plain-socket programs as students write them.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from random import Random

from tests.integration.processes import PATIENCE, Running, Twistd, labnet, student

SEED = 7
FIRST = Random(SEED).randint(1, 100)

PLAYER = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
low, high = 1, 100
while True:
    middle = (low + high) // 2
    question = (b"=", low) if low == high else (b">", middle)
    s.sendall(struct.pack("ci", *question))
    answer, _ = struct.unpack("ci", s.recv(1024))
    print(answer.decode(), question[1])
    if answer in (b"Y", b"K", b"V"):
        break
    if answer == b"I":
        low = middle + 1
    else:
        high = middle
s.close()
"""

SERVER = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(5)
print("port", s.getsockname()[1])
c, address = s.accept()
while True:
    data = c.recv(8)
    if not data:
        break
    op, number = struct.unpack("ci", data)
    if op == b"=":
        answer = b"Y" if number == 42 else b"K"
    elif op == b"<":
        answer = b"I" if 42 < number else b"N"
    else:
        answer = b"I" if 42 > number else b"N"
    c.sendall(struct.pack("ci", answer, 0))
c.close()
"""


def serving(directory: Path, *options: str) -> Twistd:
    return Twistd(directory, "labnet-guess", "--listen", "tcp:0", "--seed", str(SEED), *options)


def test_aStudentsPlayerWinsAndTheOthersAreTold(tmp_path: Path) -> None:
    """The other one has asked something before, and finds C{V} where its next answer would be."""
    with (
        serving(tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port("guess")), timeout=PATIENCE) as other,
    ):
        other.sendall(b"<\0\0\0\x01\0\0\0")
        assert other.recv(8) == b"N" + bytes(7)
        played = student(PLAYER, str(server.port("guess")))
        assert played.stderr == ""
        assert played.stdout.splitlines()[-1] == f"Y {FIRST}"
        other.sendall(b"<\0\0\0\x32\0\0\0")
        assert other.recv(1024) == b"V" + bytes(7)
        assert other.recv(1024) == b""
        server.waitFor(f"won: the number was {FIRST}")


def test_theNextGameHasTheNextNumber(tmp_path: Path) -> None:
    """Ours plays against ours, over and over, and the seed says what comes."""
    random = Random(SEED)
    with serving(tmp_path) as server:
        where = f"tcp:127.0.0.1:{server.port('guess')}"
        for _ in range(3):
            played = labnet("guess", "--connect", where)
            assert played.returncode == 0
            assert played.stdout.splitlines()[-1] == f"= {random.randint(1, 100)}: yes, I won"


def test_oursWinsAtAStudentsServer() -> None:
    with Running([sys.executable, "-c", SERVER]) as server:
        played = labnet("guess", "--connect", "tcp:127.0.0.1:" + server.waitFor(r"port (\d+)")[1])
        assert (played.returncode, played.stdout.splitlines()[-1]) == (0, "= 42: yes, I won")
        assert server.wait() == 0


def test_manyPlayersAtOnce(tmp_path: Path) -> None:
    """Each of them comes to an end it understands, and the server lives."""
    # On a busy machine a player may not read for so long that its answer and the V after it come as one.
    exact = PLAYER.replace("recv(1024)", "recv(8)")
    with serving(tmp_path) as server:
        port = str(server.port("guess"))
        players = [
            subprocess.Popen([sys.executable, "-c", exact, port], stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        for player in players:
            output, _ = player.communicate(timeout=PATIENCE)
            assert player.returncode == 0
            assert output.splitlines()[-1][0] in "YV"
        assert labnet("guess", "--connect", f"tcp:127.0.0.1:{port}").returncode == 0


def test_nobodyThere() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        played = labnet("guess", "--connect", f"tcp:127.0.0.1:{taken.getsockname()[1]}")
    assert played.returncode == 3
    assert "connection refused" in played.stderr
