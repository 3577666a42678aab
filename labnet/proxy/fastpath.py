"""
The fast path: a GET whose answer is of a known length and not large, over connections there already.

What is decided about a request's fields or a response's head is decided by the same functions as on the
plain path, L{labnet.proxy.exchange}, and remembered, because clients and origins say much the same again.
Then such an exchange takes a ninth of the time in this process, without the system's. Whatever is not quite
so is left to the plain path: at once, before anything was sent, or later, when
L{FastExchange.becomePlain} makes the exchange that it would have been.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING

from labnet.proxy.body import LengthBody, requestBody, responseBody
from labnet.proxy.charsets import declaredCharset
from labnet.proxy.client import OriginConnection
from labnet.proxy.decoding import Undecodable
from labnet.proxy.forwarding import (
    checkConnection,
    forwardedRequest,
    forwardedResponse,
    upgradesAsked,
    viaNames,
)
from labnet.proxy.inspection import isClean, responseFinding
from labnet.proxy.policy import Policy, isStream
from labnet.proxy.rules import Choice, Rule
from labnet.proxy.target import Origin, Route, routeFixed, routeForward
from labnet.proxy.wire import (
    LONGEST_SHARED,
    BadMessage,
    Fields,
    ResponseHead,
    parseRequestHead,
    parseResponseHead,
)

if TYPE_CHECKING:
    from labnet.proxy.factory import ProxyFactory
    from labnet.proxy.server import ProxyConnection

__all__ = ["FastExchange", "FastPath"]

# No fragment, no user information, nothing that is not a target: what does not match is for the plain path.
_TARGET = rb"[\x21\x22\x24-\x7e\x80-\xff]*"
_FORWARD = re.compile(rb"GET http://([A-Za-z0-9.:-]+)(/" + _TARGET + rb") HTTP/1\.1\r\n")
_FIXED = re.compile(rb"GET ()(/" + _TARGET + rb") HTTP/1\.1\r\n")

#: Bodies that are longer than this, in bytes, are for the plain path.
_LONGEST_BODY = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Request:
    """
    What a request's fields come to.

    @ivar route: where it goes, but for the path.
    @ivar rest: its head on the way to the origin, behind the request-target.
    @ivar keeps: whether the client wants to keep its connection.
    """

    fields: Fields
    route: Route
    rest: bytes
    keeps: bool


@dataclass(frozen=True, slots=True)
class _Response:
    """
    What a response's head comes to.

    @ivar rules: those that its body is searched for.
    @ivar codings: of its body.
    @ivar length: of its body, in bytes.
    @ivar forwarded: the head on its way to the client.
    """

    head: ResponseHead
    rules: tuple[Rule, ...]
    codings: tuple[bytes, ...]
    length: int
    forwarded: bytes


class FastPath:
    """
    Takes requests on the fast path, as long as one policy is in force.

    @param factory: the proxy.
    @ivar policy: that one.
    @ivar isOpen: whether any request can go this way.
    """

    def __init__(self, factory: ProxyFactory, policy: Policy) -> None:
        self._factory = factory
        self.policy = policy
        self._line = _FORWARD if factory.target is None else _FIXED
        self._mostBody = min(_LONGEST_BODY, policy.holding.memory)
        self._remembered = lru_cache(512)(self._request)
        self._rememberedResponse = lru_cache(512)(self._response)
        self.isOpen = (
            factory.fast
            and not factory.access.asks
            and not factory.upstreams
            and (factory.target is None or not factory.target.secure)
        )

    def take(self, client: ProxyConnection, data: bytes) -> FastExchange | None:
        """
        Send a request to its origin.

        @param client: who asks, and has nothing else under way.
        @param data: what it has sent.
        @return: L{None}: it is for the plain path, and nothing was done.
        """
        line = self._line.match(data)
        if line is None or not data.endswith(b"\r\n\r\n") or len(data) > self.policy.heads.size:
            return None
        authority, target = line.groups()
        section = data[line.end() :]
        remember = self._remembered if len(section) <= LONGEST_SHARED else self._request
        request = remember(authority, section)
        if request is None or len(authority) + len(target) + 7 > self.policy.heads.target:
            return None
        factory, where = self._factory, request.route.origin
        choice = self.policy.choices.choose(where.host, target)
        if choice.request or not choice.response:
            return None
        origin = factory.pool.take(where)
        if origin is None:
            return None
        try:
            factory.access.count(client.host)
        except BadMessage:
            factory.pool.put(origin)
            return None
        exchange = FastExchange(self, client, origin, request, choice, data)
        origin.askFast(exchange)
        origin.write(b"GET %b%b" % (target, request.rest))
        return exchange

    def _request(self, authority: bytes, section: bytes) -> _Request | None:
        """
        @param authority: of the request-target; empty if there is one origin.
        @param section: the field section, and the empty line behind it.
        @return: L{None} for what goes the plain path.
        """
        factory, policy = self._factory, self.policy
        if section.find(b"\r\n\r\n") != len(section) - 4:
            return None
        target = b"http://" + authority + b"/" if authority else b"/"
        try:
            head = parseRequestHead(b"GET %b HTTP/1.1\r\n%b" % (target, section), policy.heads.fields)
            fields, body = head.fields, requestBody(head)
            checkConnection(fields)
            route = routeForward(head) if factory.target is None else routeFixed(head, factory.target)
            policy.checkHost(route.origin.host)
        except BadMessage:
            return None
        if (
            not body.done
            or body.doubtful
            or b"expect" in fields
            or factory.name in viaNames(fields)
            or upgradesAsked(head, policy.upgrades)
        ):
            return None
        forwarded = forwardedRequest(head, route, body, factory.name, inspected=True, heldSize=None)
        return _Request(fields, route, forwarded.removeprefix(b"GET /"), head.persistent)

    def response(self, data: bytes, end: int, choice: Choice, keeps: bool) -> _Response | None:
        """
        What the head of a response comes to.

        @param data: what the origin has sent.
        @param end: where the head ends in it.
        @param choice: the rules for the request.
        @param keeps: whether the client's connection is kept.
        @return: L{None} for what goes the plain path.
        """
        remember = self._rememberedResponse if end <= LONGEST_SHARED else self._response
        return remember(data[:end], choice, keeps)

    def _response(self, raw: bytes, choice: Choice, keeps: bool) -> _Response | None:
        policy = self.policy
        if len(raw) > policy.heads.size or raw[0] in b"\r\n" or raw.count(b"\n") != raw.count(b"\r\n"):
            return None
        try:
            head = parseResponseHead(raw, policy.heads.fields)
            checkConnection(head.fields)
            body = responseBody(head, b"GET")
            choice = choice.forResponse(head.fields)
            found = responseFinding(choice.response, head)
        except (BadMessage, Undecodable):
            return None
        fields = head.fields
        if (
            not isinstance(body, LengthBody)
            or body.done
            or body.doubtful
            or body.left > self._mostBody
            or head.repaired
            or not head.persistent
            or head.status in (205, 206)
            or head.status < 200
            or b"date" not in fields
            or (self._factory.target is not None and b"location" in fields)
            or not choice.response
            or isStream(head)
            or policy.skips(head)
            or declaredCharset(fields.values(b"content-type")) is not None
            or found is not None
        ):
            return None
        forwarded = forwardedResponse(
            head,
            self._factory.name,
            now=0.0,  # It has a Date.
            framing=(b"Content-Length", b"%d" % body.left),
            connection=b"" if keeps else b"close",
        )
        codings = fields.tokens(b"content-encoding")
        return _Response(head, choice.response, codings, body.left, forwarded)


class FastExchange:
    """
    One request on the fast path: it was sent, and nothing of its response has gone to the client yet.

    @ivar data: the request's head as it came.
    @ivar startedAt: when it began.
    @ivar firstByteAt: when the response's head was there.
    @ivar progressAt: when something was done last.
    """

    __slots__ = (
        "_choice",
        "_client",
        "_missing",
        "_origin",
        "_path",
        "_pieces",
        "_request",
        "_response",
        "data",
        "firstByteAt",
        "progressAt",
        "startedAt",
    )

    def __init__(
        self,
        path: FastPath,
        client: ProxyConnection,
        origin: OriginConnection,
        request: _Request,
        choice: Choice,
        data: bytes,
    ) -> None:
        self._path = path
        self._client = client
        self._origin = origin
        self._request = request
        self._choice = choice
        self.data = data
        self._response: _Response | None = None
        self._pieces: list[bytes] = []
        self._missing = 0
        self.startedAt = self.firstByteAt = self.progressAt = client.factory.clock.seconds()

    @property
    def origin(self) -> Origin:
        """Where the request went."""
        return self._request.route.origin

    @property
    def policy(self) -> Policy:
        """What is in force for it."""
        return self._path.policy

    def received(self, data: bytes) -> bytes:
        """
        A piece of the response has come.

        @return: what the plain path has to read, if it has become that; empty if not.
        """
        response = self._response
        if response is None:
            end = data.find(b"\r\n\r\n") + 4
            response = self._response = (
                self._path.response(data, end, self._choice, self._request.keeps) if end > 4 else None
            )
            if response is None:
                return self._leave(data)
            self._missing = end + response.length
            if self._client.accounts:
                self.firstByteAt = self._client.factory.clock.seconds()
        self._missing -= len(data)
        if self._missing < 0:
            return self._leave(data)
        if self._missing or self._pieces:
            self._pieces.append(data)
            if self._missing:
                self.progressAt = self._client.factory.clock.seconds()
                return b""
            data = b"".join(self._pieces)
        return self._complete(response, data)

    def _complete(self, response: _Response, data: bytes) -> bytes:
        """All of the response is there, as it came."""
        client = self._client
        self._pieces = []
        content = data[-response.length :]
        began = perf_counter() if client.accounts else 0.0
        limits = self._path.policy.decoding
        isGood = isClean(response.rules, content, response.codings, limits)
        if not isGood or client.factory.settling:
            return self._leave(data)
        inspection = perf_counter() - began if client.accounts else 0.0
        self._origin.completeFast()
        keeps, answer = self._request.keeps, response.forwarded + content
        client.completeFast(self, response.head, answer, inspection, keeps)
        return b""

    def _leave(self, data: bytes) -> bytes:
        """Go on plainly with what has come and C{data} behind it."""
        pieces, self._pieces = self._pieces, []
        self.becomePlain()
        return b"".join([*pieces, data])

    def becomePlain(self) -> None:
        """
        Go on on the plain path: the client's connection has an L{Exchange} from now on, and so has the
        origin's. What has come of the response is read there.
        """
        pieces, self._pieces = self._pieces, []
        exchange = self._client.plainExchange(self)
        exchange.adopt(self._origin, self.startedAt, self.progressAt)
        for piece in pieces:
            self._origin.dataReceived(piece)
