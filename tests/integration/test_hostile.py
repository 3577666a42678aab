"""
Hostile and unlucky peers at the small rooms: whatever they do, the service answers the next client as it
answered the first, has its descriptors back, and tells nobody about its insides.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.processes import PATIENCE, Twistd, eventually

#: Not UTF-8: too long a form, a lone surrogate, a sequence that is cut off; and NULs.
ODD = b"\0\0\0\xc0\xaf\xed\xa0\x80\xe2\x82" + bytes(64)
MIB = 1 << 20


@dataclass(frozen=True)
class Room:
    """
    A service, and how one sees that it is well.

    @ivar listen: the word before C{tcp:0}, if it wants one.
    @ivar request: what is asked: a whole message.
    @ivar answers: what a reply has to begin with.
    """

    plugin: str
    listen: str = ""
    request: bytes = b""
    answers: bytes = b""


ROOMS = {
    "greeting": Room("greeting", answers=b"Hello, client!"),
    "collector": Room("collector", request=b"abc"),
    "discard": Room("classic", "discard", b"abc"),
    "daytime": Room("classic", "daytime"),
    "chargen": Room("classic", "chargen", answers=b' !"#$%'),
    "checksum": Room("checksum", request=b"KI|nobody", answers=b"0|"),
    "netcopy": Room("netcopy", request=b"abc"),
    "guess": Room("guess", request=b"<\0\0\0\x01\0\0\0", answers=b"N\0\0\0\0\0\0\0"),
}


def connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def heard(client: socket.socket, most: int = MIB) -> bytes:
    """What it says, up to its end."""
    said = bytearray()
    try:
        while len(said) < most and (data := client.recv(65_536)):
            said += data
    except ConnectionError:
        pass
    return bytes(said)


def asked(port: int, room: Room, size: int = 65_536) -> bytes:
    """What somebody who behaves is told; the request goes out in pieces of C{size} bytes."""
    with connected(port) as client:
        for at in range(0, len(room.request), size):
            client.sendall(room.request[at : at + size])
        client.shutdown(socket.SHUT_WR)
        return heard(client)


def cutOff(port: int, room: Room) -> bytes:
    """FIN in the middle of a message."""
    with connected(port) as client:
        client.sendall(room.request[: max(1, len(room.request) // 2)])
        client.shutdown(socket.SHUT_WR)
        return heard(client)


def endless(port: int, room: Room) -> bytes:
    """A mebibyte in which there is neither a message nor an end of one."""
    with connected(port) as client:
        try:
            client.sendall(b"A" * MIB)
            client.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return b""
        return heard(client)


def odd(port: int, room: Room) -> bytes:
    """What is neither ASCII nor UTF-8."""
    with connected(port) as client:
        try:
            client.sendall(ODD)
            client.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return b""
        return heard(client)


def manyResets(port: int, room: Room) -> bytes:
    """Four hundred who connect, begin, and reset."""
    for _ in range(400):
        client = connected(port)
        client.sendall(room.request[:2] or b"x")
        reset(client)
    return b""


def manyIdle(port: int, room: Room) -> bytes:
    """Three hundred who say nothing; the next one is served nevertheless."""
    idle = [connected(port) for _ in range(300)]
    try:
        said = asked(port, room)
        assert said.startswith(room.answers)
        return said
    finally:
        for client in idle:
            client.close()


def deaf(port: int, room: Room) -> bytes:
    """Twenty mebibytes of requests whose answers nobody reads, as far as they are taken."""
    with connected(port) as client:
        client.settimeout(0.5)
        request = room.request or b"x"
        try:
            for _ in range(20):
                client.sendall(request * (MIB // len(request)))
        except OSError:
            pass
        reset(client)
    return b""


class Served(Twistd):
    """
    One of the rooms, after its first client.

    @ivar count: how many descriptors it has when nobody is there.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.room = room = ROOMS[name]
        self.directory = directory
        where = f"{room.listen}=tcp:0" if room.listen else "tcp:0"
        super().__init__(directory, f"labnet-{room.plugin}", "--listen", where, "--max-per-peer", "1000")
        self.where = self.port(room.plugin)
        assert asked(self.where, room).startswith(room.answers)
        self.waitFor(r" #\d+ .* after ")  # The line of a connection comes when its socket is closed.
        self.count = self.descriptors

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture(scope="module", params=ROOMS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same service for all attacks, one after the other."""
    with Served(tmp_path_factory.mktemp(request.param), request.param) as served:
        yield served


@pytest.mark.parametrize("attack", [cutOff, endless, odd, manyResets, manyIdle, deaf])
def test_theServiceIsAsItWasBefore(served: Served, attack: Callable[[int, Room], bytes]) -> None:
    said = attack(served.where, served.room)
    assert b"Traceback" not in said
    assert b"/labnet" not in said
    assert str(served.directory).encode() not in said
    assert asked(served.where, served.room, size=1).startswith(served.room.answers)
    eventually(lambda: served.descriptors <= served.count, "all descriptors are closed")
    assert residentMemory(served.process.pid) < 150 * MIB
    assert "Traceback" not in served.text


def residentMemory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")
