"""
Text that is decoded piece by piece.
"""

from __future__ import annotations

import codecs
import socket

from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.stage import Stage
from labnet.echo.server import EchoFactory
from labnet.echo.wire import Pieces, Style
from labnet.net.limits import Limits

__all__ = ["DEMONSTRATION"]

FAULTS = "out: cut=3-9/10ms"
TEXT = "Árvíztűrő tükörfúrógép"


def naive(server: socket.socket) -> str:
    server.sendall(TEXT.encode())
    server.shutdown(socket.SHUT_WR)
    text = ""
    while piece := server.recv(1024):
        text += piece.decode()
    return text


def cured(server: socket.socket) -> str:
    server.sendall(TEXT.encode())
    server.shutdown(socket.SHUT_WR)
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = ""
    while piece := server.recv(1024):
        text += decoder.decode(piece)
    return text + decoder.decode(b"", final=True)


async def run(stage: Stage, tries: int) -> Report:
    echo = EchoFactory(stage.reactor, lambda: Pieces(Style.RAW), limits=Limits(grace=0.1))
    quiet, broken = [await stage.serving(echo, faults, "raw") for faults in ("", FAULTS)]
    return Report(
        (
            await stage.tried("decode each piece, a network that does nothing", tries, quiet, naive, TEXT),
            await stage.tried("decode each piece, a network that cuts", tries, broken, naive, TEXT),
            await stage.tried(
                "an incremental decoder, the same network", tries, broken, cured, TEXT, cure=True
            ),
        ),
        str(stage.faults(FAULTS)),
    )


DEMONSTRATION = Demonstration(
    "split-character",
    "A character split over two pieces, and decode() fails.",
    "An ű is two bytes in UTF-8, and a piece of a stream can end between them. Half of a character can not "
    "be decoded. With text in English it never happens, for there every character is one byte.",
    "Decode when the whole text is there, or with a decoder that keeps the half of a character for the "
    "next piece.",
    (naive,),
    (cured,),
    run,
)
