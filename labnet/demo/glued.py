"""
Two messages that arrive as one.
"""

from __future__ import annotations

import socket
import struct

from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.onerecv import receive
from labnet.demo.stage import Stage
from labnet.echo.server import EchoFactory
from labnet.echo.wire import Frames
from labnet.net.limits import Limits

__all__ = ["DEMONSTRATION"]

FAULTS = "merge=64/10ms"
#: The second answer never comes; nobody has to wait long for that.
_PATIENCE = 0.25
_BOTH = [b"Echo: hello", b"Echo: world"]


def naive(server: socket.socket) -> list[bytes]:
    server.sendall(b"hello")
    server.sendall(b"world")
    return [server.recv(1024), server.recv(1024)]


def send(server: socket.socket, message: bytes) -> None:
    server.sendall(struct.pack("!I", len(message)) + message)


def receiveMessage(server: socket.socket) -> bytes:
    (size,) = struct.unpack("!I", receive(server, 4))
    return receive(server, size)


def cured(server: socket.socket) -> list[bytes]:
    send(server, b"hello")
    send(server, b"world")
    return [receiveMessage(server), receiveMessage(server)]


async def run(stage: Stage, tries: int) -> Report:
    limits = Limits(grace=0.1)
    pieces = EchoFactory(stage.reactor, limits=limits)
    frames = EchoFactory(stage.reactor, Frames, limits=limits)
    quiet, broken = [await stage.serving(pieces, faults, "prefix") for faults in ("", FAULTS)]
    framed = await stage.serving(frames, FAULTS, "framed")
    alone, merging = "two sends, a network that does nothing", "two sends, a network that merges"
    return Report(
        (
            await stage.tried(alone, tries, quiet, naive, _BOTH, patience=_PATIENCE),
            await stage.tried(merging, tries, broken, naive, _BOTH, patience=_PATIENCE),
            await stage.tried(
                "a length before each message, the same network",
                tries,
                framed,
                cured,
                [b"hello", b"world"],
                cure=True,
            ),
        ),
        str(stage.faults(FAULTS)),
    )


DEMONSTRATION = Demonstration(
    "glued",
    "Two echoes glued: two sends arrive as one message.",
    "The client sends hello and world, and waits for two echoes. TCP keeps the order of the bytes, and no "
    "border between two sends: an echo that takes what one recv gives it for a message hears helloworld, "
    "and answers once. The client waits for the second answer for ever.",
    "Say where a message ends: a length before it, or a line feed behind it. Both sides have to.",
    (naive,),
    (send, receiveMessage, cured),
    run,
)
