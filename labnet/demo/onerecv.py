"""
One C{recv} for one message.
"""

from __future__ import annotations

import socket
import struct

from labnet.calculator.server import CalculatorFactory
from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.stage import Stage
from labnet.net.limits import Limits

__all__ = ["DEMONSTRATION"]

FAULTS = "out: cut=1-9/20ms"


def naive(server: socket.socket) -> int:
    server.sendall(struct.pack("<ii1s", 12, 34, b"+"))
    result, _, _ = struct.unpack("<ii1s", server.recv(9))
    return int(result)


def receive(server: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError(f"only {len(data)} of {size} bytes")
        data += piece
    return data


def cured(server: socket.socket) -> int:
    server.sendall(struct.pack("<ii1s", 12, 34, b"+"))
    result, _, _ = struct.unpack("<ii1s", receive(server, 9))
    return int(result)


async def run(stage: Stage, tries: int) -> Report:
    calculator = CalculatorFactory(stage.reactor, limits=Limits(grace=0.1))
    quiet, broken = [await stage.serving(calculator, faults, "struct9") for faults in ("", FAULTS)]
    return Report(
        (
            await stage.tried("one recv, a network that does nothing", tries, quiet, naive, 46),
            await stage.tried("one recv, a network that cuts", tries, broken, naive, 46),
            await stage.tried(
                "recv until there are 9 bytes, the same network", tries, broken, cured, 46, cure=True
            ),
        ),
        str(stage.faults(FAULTS)),
    )


DEMONSTRATION = Demonstration(
    "one-recv",
    "One recv for one message: it may be a part of it.",
    "The client asks 12 + 34, and takes what one recv gives it for the whole answer of 9 bytes. TCP is a "
    "stream: recv(9) means 9 bytes at most, and returns as soon as there is one. On one machine, with "
    "small messages, it mostly works. Over a network it works until it does not.",
    "Receive until as many bytes are there as the message has, and look at what recv returns: b'' is the "
    "end.",
    (naive,),
    (receive, cured),
    run,
)
