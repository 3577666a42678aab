"""
The ways in which a request's body reaches the origin: as it comes, or after it was looked at whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Protocol as Interface

from labnet.proxy.body import BodyReader, ChunkedBody, encodeChunk, encodeLastChunk
from labnet.proxy.client import OriginConnection
from labnet.proxy.decoding import Undecodable
from labnet.proxy.inspection import Finding, search
from labnet.proxy.measuring import MeasuredInspector
from labnet.proxy.policy import Policy
from labnet.proxy.pump import Pump
from labnet.proxy.rules import Rule
from labnet.proxy.spool import Spool
from labnet.proxy.wire import Fields

__all__ = ["HeldUpload", "NoUpload", "StreamedUpload", "Upload", "Uploading"]

_MOST_EARLY = 65_536


class Uploading(Interface):
    """Who an L{Upload} works for: the exchange."""

    def reach(self) -> None:
        """The request may go: reach for the origin."""

    def holdClient(self) -> None:
        """Take no more from the client."""

    def releaseClient(self) -> None:
        """Take more from the client."""

    def blocked(self, found: Finding) -> None:
        """A blocked string was found: the request must not go."""

    def refuse(self, status: int, why: str) -> None:
        """The request can not go."""


class Upload(ABC):
    """
    Takes the body of one request.

    @ivar size: of the whole body, where it is known before the head is sent and was not in the head.
    @ivar repeatable: whether all of it can be sent once more.
    """

    size: int | None = None
    repeatable = False

    @property
    def spooled(self) -> int:
        """Bytes of it that are in a temporary file."""
        return 0

    @abstractmethod
    def received(self, content: bytes) -> None:
        """A piece has come."""

    @abstractmethod
    def ended(self, trailers: Fields) -> None:
        """The request is complete."""

    @abstractmethod
    def sendTo(self, origin: OriginConnection) -> None:
        """The head has gone to the origin; the body follows, and what still comes of it."""

    @abstractmethod
    def originFull(self) -> None:
        """The origin reads too slowly."""

    @abstractmethod
    def originDrained(self) -> None:
        """The origin reads again."""

    def close(self) -> None:  # noqa: B027
        """There is nothing more to send."""


class NoUpload(Upload):
    """What an exchange has when it is over: nothing that would keep it in memory."""

    def received(self, content: bytes) -> None:
        pass

    def ended(self, trailers: Fields) -> None:
        pass

    def sendTo(self, origin: OriginConnection) -> None:
        pass

    def originFull(self) -> None:
        pass

    def originDrained(self) -> None:
        pass


class StreamedUpload(Upload):
    """
    Passes everything on as it comes; what comes before there is an origin waits, up to 64 KiB.

    @param body: how the request's body is delimited; towards the origin it is the same.
    """

    def __init__(self, exchange: Uploading, body: BodyReader) -> None:
        self._exchange = exchange
        self._chunked = isinstance(body, ChunkedBody)
        self._complete = self.repeatable = body.done
        self._origin: OriginConnection | None = None
        self._early: list[bytes] = []
        self._earlySize = 0

    def received(self, content: bytes) -> None:
        if self._origin is not None:
            self._origin.write(encodeChunk(content) if self._chunked else content)
            return
        self._early.append(content)
        self._earlySize += len(content)
        if self._earlySize > _MOST_EARLY:
            self._exchange.holdClient()

    def ended(self, trailers: Fields) -> None:
        self._complete = True
        if self._origin is not None:
            self._finish(self._origin)

    def sendTo(self, origin: OriginConnection) -> None:
        self._origin = origin
        early, self._early = self._early, []
        for content in early:
            self.received(content)
        self._exchange.releaseClient()
        if self._complete:
            self._finish(origin)

    def originFull(self) -> None:
        if not self._complete:
            self._exchange.holdClient()

    def originDrained(self) -> None:
        self._exchange.releaseClient()

    def _finish(self, origin: OriginConnection) -> None:
        if self._chunked:
            origin.write(encodeLastChunk())
        origin.requestSent()


class HeldUpload(Upload):
    """
    Holds the body until all of it has been looked at and its length is known; then it goes to the origin.

    @param fields: of the request; they say in which content codings and charset the body is.
    @param rules: what must not be in it; without any it is not looked at.
    @raise Undecodable: one of those is not known to us, or this is a part of something whose other parts
        may never come by.
    @ivar inspector: what looks at it; L{None} where nobody does.
    """

    repeatable = True

    def __init__(
        self, exchange: Uploading, fields: Fields, rules: tuple[Rule, ...], policy: Policy
    ) -> None:
        self._exchange = exchange
        self.inspector: MeasuredInspector | None = None
        if rules:
            if b"content-range" in fields:
                raise Undecodable("a part of the whole (Content-Range)")
            codings, types = fields.tokens(b"content-encoding"), fields.values(b"content-type")
            self.inspector = MeasuredInspector(rules, codings, policy.decoding, types)
        self._rules = rules
        self._most = policy.holding.disk
        self._spool = Spool(policy.holding.memory, policy.holding.free)
        self._pump: Pump | None = None

    @property
    def spooled(self) -> int:
        return self._spool.sizeOnDisk

    def received(self, content: bytes) -> None:
        try:
            found = self.inspector.feed(content) if self.inspector is not None else None
            self._spool.write(content)
        except Undecodable as problem:
            self._exchange.refuse(415, f"the request's body can not be looked at: {problem}")
        except OSError as problem:
            self._exchange.refuse(502, f"no room to hold the request: {problem.strerror}")
        else:
            if found is not None:
                self._exchange.blocked(replace(found, where="request"))
            elif self._spool.size > self._most:
                self._tooLong()

    def ended(self, trailers: Fields) -> None:
        try:
            found = self._rest(trailers)
        except Undecodable as problem:
            self._exchange.refuse(415, f"the request's body can not be looked at: {problem}")
            return
        if found is not None:
            self._exchange.blocked(replace(found, where="request"))
            return
        self.size = self._spool.size
        self._exchange.reach()

    def _rest(self, trailers: Fields) -> Finding | None:
        if self.inspector is None:
            return None
        found = self.inspector.rest() or search(self._rules, trailers.encode(), "request")
        if found is None:
            self.inspector.end()
        return found

    def _tooLong(self) -> None:
        if self.inspector is not None:
            self._exchange.refuse(413, f"the request's body has over {self._most} bytes")
        else:
            why = f"a body of over {self._most} bytes has to say its length: the origin may not know chunks"
            self._exchange.refuse(411, why)

    def sendTo(self, origin: OriginConnection) -> None:
        def lost(problem: OSError) -> None:
            self._exchange.refuse(502, f"the request that was held is lost: {problem.strerror}")

        self._pump = Pump(self._spool, origin.write, origin.requestSent, lost)
        self._pump.resume()

    def originFull(self) -> None:
        if self._pump is not None:
            self._pump.pause()

    def originDrained(self) -> None:
        if self._pump is not None:
            self._pump.resume()

    def close(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.close()
        self._spool.close()
