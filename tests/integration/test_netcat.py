"""
Netcat as a real process: how it ends, what it tells, terminals, pieces, and programs of the course.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conversations import CONNECTORS, Programs, found
from tests.integration.processes import BIN, Twistd, student

# How it ends


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_aResetIsNarrated(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("-v", str(listener.getsockname()[1]))
        peer, _ = listener.accept()
        us.say(b"hello")
        assert peer.recv(100) == b"hello"
        reset(peer)
        assert us.ends() == 5
    assert [re.sub(r"^ +\d+\.\d{3} s  |\d{4,}", "", line) for line in us.err] == [
        "connected to tcp:127.0.0.1:, from tcp:127.0.0.1:",
        "the peer lost: the peer reset the connection (RST); 5 bytes sent, 0 bytes received",
        "labnet nc: the peer reset the connection (RST)",
    ]


def test_everythingIsNarrated(programs: Programs) -> None:
    listener = programs.nc("-l", "-v", "0")
    with socket.create_connection(("127.0.0.1", int(listener.told(r"listening on .*:(\d+)")[1]))) as peer:
        peer.sendall(b"one")
        listener.saw(b"one")
        peer.shutdown(socket.SHUT_WR)
        listener.told("the peer ended its half")
        listener.say(b"answer")
        listener.end()
        assert peer.recv(100) == b"answer"
        assert peer.recv(100) == b""
    assert listener.ends() == 0
    assert [re.sub(r"^ +\d+\.\d{3} s  |\d{4,}", "", line) for line in listener.err] == [
        "listening on tcp:127.0.0.1:",
        "the peer has connected, from tcp:127.0.0.1: to tcp:127.0.0.1:",
        "the peer ended its half (FIN) after 3 bytes",
        "we ended our half towards the peer (FIN) after 6 bytes",
        "the peer closed; 6 bytes sent, 3 bytes received",
    ]


def test_nobodyReadsStandardOutput(programs: Programs) -> None:
    """A sentence and a status, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        read, write = os.pipe()
        with os.fdopen(write, "wb") as writer:
            us = programs.nc(str(listener.getsockname()[1]), stdout=writer)
        peer, _ = listener.accept()
        os.close(read)
        with peer:
            peer.sendall(b"hello")
            assert us.ends() == 7, "\n".join(us.err)
    assert us.err == ["labnet nc: broken pipe: the reader has gone"]


def test_nobodyListens(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert programs.nc("-z", port).ends() == 0
    for arguments in (["-z"], []):
        us = programs.nc(*arguments, port)
        assert us.ends() == 3
        assert us.err[0].startswith("labnet nc: connection refused")


def test_nothingMoves(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("-w", "0.2", str(listener.getsockname()[1]))
        assert us.ends() == 4
    assert us.err == ["labnet nc: nothing moved for 0.2 s"]


@pytest.mark.parametrize("signalNumber", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(programs: Programs, signalNumber: int) -> None:
    """In the middle of a conversation; the peer sees its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]))
        peer, _ = listener.accept()
        with peer:
            us.say(b"hello")
            assert peer.recv(100) == b"hello"
            us.process.send_signal(signalNumber)
            assert us.ends() == 130
            assert peer.recv(100) == b""
    assert us.err == []


def test_aListenerOutlivesItsClients(programs: Programs) -> None:
    """Also one that resets its connection; what they send is all there, and input goes to all of them."""
    us = programs.nc("-l", "-k", "0")
    port = us.port
    with socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(b"one\n")
        us.saw(b"one\n")
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    us.told("#1: the peer reset the connection")
    with (
        socket.create_connection(("127.0.0.1", port)) as second,
        socket.create_connection(("127.0.0.1", port)) as third,
    ):
        second.sendall(b"two\n")
        third.sendall(b"three\n")
        us.saw(b"two\n")
        us.saw(b"three\n")
        us.say(b"to all\n")
        assert second.recv(100) == third.recv(100) == b"to all\n"
        us.end()
        assert second.recv(100) == third.recv(100) == b""
    assert us.process.poll() is None
    us.process.send_signal(signal.SIGINT)
    assert us.ends() == 130
    assert sorted(us.out.split()) == [b"one", b"three", b"two"]


def test_severalProgramsTalkToOneListener(programs: Programs) -> None:
    """One after another and at a time; each gets what we say then, and its end is not ours."""
    us = programs.nc("-l", "-k", "-v", "0")
    port = us.port
    for number, other in enumerate(CONNECTORS, start=1):
        them = programs.start(*found(CONNECTORS[other], port))
        them.say(f"from {other}\n".encode())
        us.saw(f"from {other}\n".encode())
        us.say(f"to {other}\n".encode())
        them.saw(f"to {other}\n".encode())
        them.end()
        us.told(rf"#{number} ended its half \(FIN\)")
        if other == "socat":
            # It waits for the end of our half, which has to come after a while of silence.
            us.told(rf"#{number} closed")
        else:
            them.kill()
    assert us.process.poll() is None


# Terminals, pipes and files


@pytest.mark.parametrize("kind", ["pipe", "file", "terminal"])
def test_theEndOfInputIsTheSameEverywhere(programs: Programs, tmp_path: Path, kind: str) -> None:
    """The peer sees all of it and FIN, and answers then; the answer arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        if kind == "file":
            tmp_path.joinpath("input").write_bytes(b"hello\n")
            with tmp_path.joinpath("input").open("rb") as file:
                us = programs.nc(port, stdin=file)
        elif kind == "pipe":
            us = programs.nc(port)
            us.say(b"hello\n")
            us.end()
        else:
            ours, theirs = os.openpty()
            us = programs.nc(port, stdin=theirs)
            os.close(theirs)
            os.write(ours, b"hello\n\x04")
        peer, _ = listener.accept()
        with peer:
            received = b""
            while data := peer.recv(100):
                received += data
            peer.sendall(b"answer\n")
        assert us.ends() == 0
    if kind == "terminal":
        os.close(ours)
    assert received == b"hello\n"
    assert us.out == b"answer\n"


def test_aTerminalIsLeftAsItWas(programs: Programs) -> None:
    """The shell's own descriptors still block, and it is told how to end what the peer has ended."""
    ours, theirs = os.openpty()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), stdin=theirs, stdout=theirs)
        peer, _ = listener.accept()
        with peer:
            peer.shutdown(socket.SHUT_WR)
            us.told("the peer has ended its half of the connection; Ctrl-D ends yours")
            assert os.get_blocking(theirs)
            os.write(ours, b"\x04")
            assert us.ends() == 0
    assert os.get_blocking(theirs)
    os.close(ours)
    os.close(theirs)


# Pieces


def test_piecesAreCutAndPausedFor(programs: Programs) -> None:
    """Each piece is a segment of its own: a student's recv gets them one by one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), "--chop", "4,5", "--pause", "0.1")
        peer, _ = listener.accept()
        us.say(bytes(18))
        us.end()
        pieces = []
        with peer:
            while data := peer.recv(100):
                pieces.append(len(data))
        assert us.ends() == 0
    assert sum(pieces) == 18
    assert len(pieces) >= 3, "they came together"


def test_escapesAndHexadecimal(programs: Programs) -> None:
    """The calculator's request typed by hand, and its reply read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc(str(listener.getsockname()[1]), "-e", "-x")
        peer, _ = listener.accept()
        with peer:
            us.say(rb"\x0c\x00\x00\x00\x22\x00\x00\x00+" + b"\n")
            assert peer.recv(100) == struct.pack("<ii1s", 12, 34, b"+")
            peer.sendall(struct.pack("<ii1s", 46, 0, b"R"))
            us.saw(b"|........R|\n")
            us.say(b"wrong \\q\n")
            us.told(r"^labnet nc: not sent: \\q is none of|^not sent: \\q is none of")
            us.end()
        assert us.ends() == 2
    assert b'> 00000000  0c 00 00 00 22 00 00 00  2b                       |...."...+|\n' in us.out
    assert b"< 00000000  2e 00 00 00 00 00 00 00  52                       |........R|\n" in us.out


# Programs of the course

STUDENTS_SERVER = """
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print("listening on port", s.getsockname()[1], file=sys.stderr, flush=True)
c, a = s.accept()
data = c.recv(1024)
c.sendall(b"Echo: " + data)
c.close()
"""

STUDENTS_CLIENT = """
import socket, sys
s = socket.socket(); s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"Hello, server!")
print(s.recv(1024).decode())
s.close()
"""


def test_aStudentsServer(programs: Programs) -> None:
    server = programs.start(sys.executable, "-c", STUDENTS_SERVER)
    us = programs.nc(str(server.port), "--send", "hi")
    assert us.ends() == 0
    assert us.out == b"Echo: hi"


def test_aStudentsClient(programs: Programs) -> None:
    us = programs.nc("-l", "0", "--send", "Hello, client!")
    done = student(STUDENTS_CLIENT, str(us.port))
    assert done.stdout == "Hello, client!\n"
    assert us.ends() == 0
    assert us.out == b"Hello, server!"


# Under twistd


def test_bothPlugins(programs: Programs, tmp_path: Path) -> None:
    """The listening side with its common options, and the connecting side as a plugin."""
    with Twistd(tmp_path, "labnet-netcat", "--listen", "tcp:0", "--send", "hello") as server:
        client = programs.start(
            str(BIN / "twistd"), "-n", "--pidfile=", "--logfile", str(tmp_path / "log"),
            "labnet-netcat-client", "127.0.0.1", str(server.port("netcat")), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert client.ends() == 0
        assert client.out == b"hello"
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("plugin", "arguments", "sentence"),
    [
        ("labnet-netcat", ["--listen", "udp:0", "--tls"], "--tls does not go with udp:"),
        ("labnet-netcat-client", ["1", "2", "3"], "'1 2 3': at most HOST and PORT"),
    ],
)
def test_aMistakenOptionUnderTwistd(
    tmp_path: Path, plugin: str, arguments: list[str], sentence: str
) -> None:
    with Twistd(tmp_path, plugin, *arguments) as running:
        assert running.wait() == 1
    assert running.text == f"{plugin}: {sentence}"
