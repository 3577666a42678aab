"""
Netcat against C{nc} (OpenBSD's), C{ncat}, C{socat}, plain sockets and itself, over TCP, UDP and UNIX
sockets: the same bytes arrive, in both directions, and both ends end.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.integration.conversations import (
    CONNECTORS,
    LISTENERS,
    NC,
    Programs,
    answersAfterTheEnd,
    found,
)
from tests.integration.processes import eventually


@pytest.mark.parametrize("other", ["socat", "ours"])
def test_weConnectAndEndFirst(programs: Programs, other: str) -> None:
    """C{nc} and C{ncat} are missing: their listeners leave as soon as the peer has ended its half."""
    listener = programs.start(*found(LISTENERS[other]))
    answersAfterTheEnd(programs.nc("127.0.0.1", str(listener.port)), listener)


@pytest.mark.parametrize("other", LISTENERS)
def test_weConnectAndTheyEndFirst(programs: Programs, other: str) -> None:
    listener = programs.start(*found(LISTENERS[other]))
    answersAfterTheEnd(listener, programs.nc("127.0.0.1", str(listener.port)))


@pytest.mark.parametrize("other", CONNECTORS)
def test_weListenAndTheyEndFirst(programs: Programs, other: str) -> None:
    listener = programs.nc("-l", "0")
    answersAfterTheEnd(programs.start(*found(CONNECTORS[other], listener.port)), listener)


@pytest.mark.parametrize("other", ["nc", "socat"])
def test_weListenAndEndFirst(programs: Programs, other: str) -> None:
    """C{ncat} is missing: it leaves as soon as its peer has ended its half."""
    listener = programs.nc("-l", "0")
    answersAfterTheEnd(listener, programs.start(*found(CONNECTORS[other], listener.port)))


def test_aPeerThatEndsFirstStillGetsEverything(programs: Programs, tmp_path: Path) -> None:
    """It has ended its half before our input, a pipe, has even begun."""
    listener = programs.nc("-l", "0", "-v")
    with socket.create_connection(("127.0.0.1", listener.port)) as student:
        student.shutdown(socket.SHUT_WR)
        listener.told("the peer ended its half .FIN. after 0 bytes")
        listener.say(b"late\n")
        listener.end()
        assert student.recv(100) == b"late\n"
        assert student.recv(100) == b""
    assert listener.ends() == 0


# UDP

DATAGRAM_LISTENERS = {
    "nc": ["nc.openbsd", "-v", "-u", "-l", "127.0.0.1", "0"],
    "ncat": ["ncat", "-v", "-u", "-l", "127.0.0.1", "0"],
    "socat": ["socat", "-d", "-d", "-", "UDP-LISTEN:0,bind=127.0.0.1"],
    "ours": [*NC, "-u", "-l", "0"],
}
DATAGRAM_CONNECTORS = {
    "nc": ["nc.openbsd", "-u", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "-u", "127.0.0.1", "PORT"],
    "socat": ["socat", "-", "UDP:127.0.0.1:PORT"],
}


@pytest.mark.parametrize("other", DATAGRAM_LISTENERS)
def test_weSendDatagrams(programs: Programs, other: str) -> None:
    listener = programs.start(*found(DATAGRAM_LISTENERS[other]))
    us = programs.nc("-u", "127.0.0.1", str(listener.port), "-q", "0")
    us.say(b"ping\n")
    listener.saw(b"ping\n")
    listener.say(b"pong\n")
    us.saw(b"pong\n")
    us.end()
    assert us.ends() == 0


@pytest.mark.parametrize("other", DATAGRAM_CONNECTORS)
def test_weWaitForDatagrams(programs: Programs, other: str) -> None:
    us = programs.nc("-u", "-l", "0", "-q", "0")
    them = programs.start(*found(DATAGRAM_CONNECTORS[other], us.port))
    them.say(b"ping\n")
    us.saw(b"ping\n")
    us.say(b"pong\n")
    them.saw(b"pong\n")
    us.end()
    assert us.ends() == 0


def test_nobodyListensForDatagrams(programs: Programs) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    us = programs.nc("-u", "127.0.0.1", str(port), "--send", "hello")
    assert us.ends() == 3
    assert us.err[0].startswith("labnet nc: connection refused")


# UNIX sockets


@pytest.mark.parametrize("other", ["nc", "ncat", "socat", "ours"])
def test_weConnectToAPath(programs: Programs, tmp_path: Path, other: str) -> None:
    path = tmp_path / "socket"
    command = {
        "nc": ["nc.openbsd", "-N", "-l", "-U", str(path)],
        "ncat": ["ncat", "-l", "-U", str(path)],
        "socat": ["socat", "-t", "20", "-", f"UNIX-LISTEN:{path}"],
        "ours": [*NC, "-l", "-U", str(path)],
    }[other]
    listener = programs.start(*found(command))
    eventually(path.exists, "the socket")
    answersAfterTheEnd(listener, programs.nc("-U", str(path)))


@pytest.mark.parametrize("other", ["nc", "ncat", "socat"])
def test_weListenOnAPath(programs: Programs, tmp_path: Path, other: str) -> None:
    """Only for its owner; and it is gone afterwards."""
    path = tmp_path / "socket"
    listener = programs.nc("-l", "-v", f"unix:{path}:mode=600" if other == "nc" else "-U", *(
        [] if other == "nc" else [str(path)]))  # fmt: skip
    listener.told("listening on unix:")
    assert path.stat().st_mode & 0o777 == 0o600
    command = {
        "nc": ["nc.openbsd", "-N", "-U", str(path)],
        "ncat": ["ncat", "-U", str(path)],
        "socat": ["socat", "-t", "20", "-", f"UNIX-CONNECT:{path}"],
    }[other]
    answersAfterTheEnd(programs.start(*found(command)), listener)
    assert not path.exists()
