"""
What a trace has recorded as a file for Wireshark, as fast as the browser takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from labnet.dashboard.selection import Selection
from labnet.net import pcapng
from labnet.net.site import connectionOf
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
    Answers a request with the pieces of a file, one in each turn of the reactor, and makes no more of them
    than are read.

    @param request: which one.
    @param pieces: of the file.
    """

    log = Logger()

    def __init__(self, request: Any, pieces: Iterator[bytes]) -> None:
        self._request = request
        self._pieces = pieces
        self._clock = connectionOf(request).factory.clock
        self._call: IDelayedCall | None = None
        self._over = False
        request.notifyFinish().addErrback(lambda failure: self.stopProducing())
        request.registerProducer(self, True)
        self.resumeProducing()

    # IPushProducer

    def pauseProducing(self) -> None:
        """What was written has not left yet."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def resumeProducing(self) -> None:
        """It has."""
        if self._call is None and not self._over:
            self._call = self._clock.callLater(0, self._write)

    def stopProducing(self) -> None:
        """Nobody reads any more, or all is written."""
        self._over = True
        self.pauseProducing()

    def _write(self) -> None:
        self._call = None
        try:
            piece = next(self._pieces, None)
        except Exception:
            self.log.failure("a bug in a file that was asked for")
            self.stopProducing()
            connectionOf(self._request).drop("a bug in this service")
            return
        if piece is None:
            self.stopProducing()
            self._request.unregisterProducer()
            self._request.finish()
            return
        # Before it is written: that may ask us to pause.
        self.resumeProducing()
        self._request.write(piece)
