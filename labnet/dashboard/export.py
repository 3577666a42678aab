"""
What a trace has recorded as a file for Wireshark, as fast as the browser takes it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from labnet.dashboard.selection import Selection
from labnet.net import pcapng
from labnet.net.trace import Conversation

__all__ = ["Download", "asked"]


def asked(conversations: Iterable[Conversation], arguments: dict[bytes, list[bytes]]) -> list[Conversation]:
    """
    The conversations that a URL asks for: those that a L{Selection} lets pass, and of these what
    L{pcapng.chosen} takes of C{service}, C{peer} and C{last}.

    @raise pcapng.BadSelection: what it says makes no sense.
    """
    selection = Selection.read(arguments)
    peer, last = (
        (arguments.get(name) or [b""])[0][:100].decode("utf-8", "replace") for name in (b"peer", b"last")
    )
    if last and not (last.isascii() and last.isdigit() and len(last) < 10):
        raise pcapng.BadSelection(f"{last!r} is not how many")
    found = [one for one in conversations if replace(selection, service="").takes(one)]
    return pcapng.chosen(found, selection.service, peer, int(last or "0"))


@implementer(IPushProducer)
class Download:
    """
    Answers a request with the pieces of a file, and makes no more of them than are read.

    @param request: which one.
    @param pieces: of the file.
    """

    def __init__(self, request: Any, pieces: Iterator[bytes]) -> None:
        self._request = request
        self._pieces: Iterator[bytes] | None = pieces
        self._paused = False
        request.notifyFinish().addErrback(lambda failure: self.stopProducing())
        request.registerProducer(self, True)
        self.resumeProducing()

    # IPushProducer

    def pauseProducing(self) -> None:
        """What was written has not left yet."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It has."""
        self._paused = False
        while self._pieces is not None and not self._paused:
            piece = next(self._pieces, None)
            if piece is None:
                self.stopProducing()
                self._request.unregisterProducer()
                self._request.finish()
            else:
                self._request.write(piece)

    def stopProducing(self) -> None:
        """Nobody reads any more, or all is written."""
        pieces, self._pieces = self._pieces, None
        if isinstance(pieces, Generator):
            pieces.close()
