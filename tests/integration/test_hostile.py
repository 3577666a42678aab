"""
Hostile and unlucky peers at the small rooms: whatever they do, the service answers the next client as it
answered the first, has its descriptors back, and tells nobody about its insides.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
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


@pytest.mark.parametrize("attack", [cutOff, endless, odd, manyResets, manyIdle, deaf])
@pytest.mark.parametrize("name", ROOMS)
def test_theServiceIsAsItWasBefore(tmp_path: Path, name: str, attack: Callable[[int, Room], bytes]) -> None:
    room = ROOMS[name]
    where = f"{room.listen}=tcp:0" if room.listen else "tcp:0"
    with Twistd(tmp_path, f"labnet-{room.plugin}", "--listen", where, "--max-per-peer", "1000") as server:
        port = server.port(room.plugin)
        before = asked(port, room)
        assert before.startswith(room.answers)
        descriptors = f"/proc/{server.process.pid}/fd"
        eventually(lambda: quiet(port), "the first client is gone")
        count = len(os.listdir(descriptors))
        said = attack(port, room)
        assert b"Traceback" not in said
        assert b"/labnet" not in said
        assert str(tmp_path).encode() not in said
        assert asked(port, room, size=1).startswith(room.answers)
        eventually(lambda: len(os.listdir(descriptors)) <= count, "all descriptors are closed")
        assert residentMemory(server.process.pid) < 150 * MIB


def quiet(port: int) -> bool:
    """Whether nobody is connected to it, as the kernel has it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return not any(row[1].endswith(f":{port:04X}") and row[3] in ("01", "08") for row in rows)


def residentMemory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")
