"""
How the answer of an exchange goes to the client: its head with a framing that suits the client, and the
body as it comes, as it was held, or first the one and then the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import time

from labnet.proxy.body import BodyReader, ChunkedBody, CloseDelimitedBody, encodeChunk, encodeLastChunk
from labnet.proxy.client import OriginConnection
from labnet.proxy.clientside import Client
from labnet.proxy.delivery import Delivery, Streamed
from labnet.proxy.forwarding import forwardedResponse, returned
from labnet.proxy.inspection import Finding
from labnet.proxy.replay import Replay
from labnet.proxy.spool import Spool
from labnet.proxy.target import Route
from labnet.proxy.wire import Fields, RequestHead, ResponseHead, Version

__all__ = ["AnsweringExchange"]


class AnsweringExchange(ABC):
    """
    What a L{Delivery} works for. A subclass gets the response from the origin and decides about it.

    @param client: who asked.
    @param head: what.
    @param body: how the request's body is delimited.
    @param route: where to.
    @param name: the proxy's, for Via.
    @ivar status: of the answer; 0 as long as there is none.
    @ivar response: the head of the origin's final response, as soon as it is there.
    @ivar requestDone: whether all of the request has come.
    @ivar clientFull: whether the client reads too slowly.
    @ivar heldSince: when a response began that is held and does not say how long it is.
    """

    def __init__(
        self, client: Client, head: RequestHead, body: BodyReader, route: Route, name: bytes
    ) -> None:
        self.head = head
        self.route = route
        self.status = 0
        self.response: ResponseHead | None = None
        self.requestDone = body.done
        self.clientFull = False
        self.heldSince: float | None = None
        self._client = client
        self._body = body
        self._name = name
        self._origin: OriginConnection | None = None
        self._responseBody: BodyReader | None = None
        self._delivery: Delivery | None = None
        self._replay: Replay | None = None
        self._begun = False
        self._chunked = False
        self._delimited = True
        self._ended = False

    # What a subclass does.

    @abstractmethod
    def progressed(self) -> None:
        """Something was done: whoever is waited for has not gone."""

    @abstractmethod
    def blocked(self, found: Finding) -> None:
        """A blocked string was found."""

    @abstractmethod
    def uninspectable(self, why: str) -> bool:
        """What can not be looked at follows the policy. Whether it passes."""

    @abstractmethod
    def refuse(self, status: int, why: str) -> None:
        """Answer with an error, or break off the answer if it has begun."""

    @abstractmethod
    def _end(self, keep: bool) -> None:
        """The answer is complete; C{keep}: the client's connection goes on."""

    # Recipient: what goes to the client.

    def begin(self, size: int | None) -> None:
        """Send the head of the response, with a framing that suits the client."""
        self._client.write(self._responseHead(size))

    def _responseHead(self, size: int | None) -> bytes:
        head, body = self.response, self._responseBody
        assert head is not None
        framing = None
        if size is not None:
            framing = (b"Content-Length", b"%d" % size)
        elif isinstance(body, (ChunkedBody, CloseDelimitedBody)):
            self._chunked = self.head.version is Version.HTTP11
            self._delimited = self._chunked
            framing = (b"Transfer-Encoding", b"chunked") if self._chunked else None
        self._begun = True
        self.heldSince = None
        self.status = head.status
        connection = b""
        if not self._keeps():
            connection = b"close"
        elif self.head.version is Version.HTTP10:
            connection = b"keep-alive"
        return forwardedResponse(
            head,
            self._name,
            now=time(),
            framing=framing,
            connection=connection,
            location=returned(self.head, self.route),
        )

    def content(self, piece: bytes) -> None:
        """Send a piece of the body, behind what is still being replayed."""
        if self._ended or not piece:
            return
        if self._replay is not None:
            self._replay.add(piece)
        else:
            self._pass(piece)

    def complete(self, trailers: Fields) -> None:
        """Everything was sent."""
        if self._replay is not None:
            self._replay.ended(trailers)
            return
        if self._chunked:
            self._client.write(encodeLastChunk(trailers))
        self._end(self._keeps())

    def deliver(self, spool: Spool, trailers: Fields) -> None:
        """Send a whole body, in one write where it is in memory."""
        if not spool.onDisk:
            self._client.write(self._responseHead(spool.size) + spool.content())
            self._end(self._keeps())
        else:
            self.begin(spool.size)
            self._play(spool, trailers)

    def replay(self, spool: Spool) -> None:
        """Send what was held; what comes from now on is streamed."""
        self.begin(None)
        self._delivery = Streamed(self)
        if self._origin is not None:
            self._origin.pause()
        self._play(spool)

    def _play(self, spool: Spool, trailers: Fields | None = None) -> None:
        self._replay = Replay(spool, self._pass, self._playedOut, self._playedBadly)
        if trailers is not None:
            self._replay.ended(trailers)
        if not self.clientFull:
            self._replay.resume()

    def _pass(self, piece: bytes) -> None:
        self._client.write(encodeChunk(piece) if self._chunked else piece)

    def _playedOut(self, trailers: Fields | None) -> None:
        self._replay = None
        if trailers is not None:
            self.complete(trailers)
        elif self._origin is not None and not self.clientFull:
            self._origin.resume()

    def _playedBadly(self, problem: OSError) -> None:
        self.refuse(502, f"the response that was held is lost: {problem.strerror}")

    def clientIsFull(self) -> None:
        """The client reads too slowly: the origin has to wait."""
        self.clientFull = True
        if self._replay is not None:
            self._replay.pause()
        if self._origin is not None:
            self._origin.pause()

    def clientDrained(self) -> None:
        """The client reads again."""
        self.progressed()
        self.clientFull = False
        if self._replay is not None:
            self._replay.resume()
        elif self._origin is not None:
            self._origin.resume()

    def _keeps(self) -> bool:
        good = self._delimited and self.requestDone and not self._body.doubtful
        return good and self._client.persists(self.head)
