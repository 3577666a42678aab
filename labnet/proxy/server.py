"""
The proxy's connections to clients: reads requests, and answers them in order.
"""

from __future__ import annotations

from math import inf
from time import time
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from labnet.net.logs import counted
from labnet.proxy.body import BodyReader, requestBody
from labnet.proxy.client import OriginConnection
from labnet.proxy.exchange import Exchange
from labnet.proxy.forwarding import checkConnection, mostForwards, viaNames
from labnet.proxy.journal import Decision
from labnet.proxy.policy import Answer, lastAnswer, refusal
from labnet.proxy.target import (
    Origin,
    Route,
    checkHost,
    routeFixed,
    routeForward,
    routeIntercepted,
)
from labnet.proxy.tunnelling import TunnellingConnection
from labnet.proxy.wire import (
    BadMessage,
    HeadReader,
    RequestHead,
    ResponseHead,
    TooLarge,
    Version,
    parseRequestHead,
)

if TYPE_CHECKING:
    from labnet.proxy.factory import ProxyFactory
    from labnet.proxy.fastpath import FastExchange

__all__ = ["ProxyConnection"]

#: Bytes of later requests that are taken while one is being answered; then the client is not read from.
_MOST_AHEAD = 65_536

#: How a connection ends with which all is well.
_ORDERLY = frozenset(("answered", "closed", "closed by the peer", "service stopped"))

#: What begins so is for another kind of proxy, or for one that listens with TLS.
_OTHERS = {4: "SOCKS", 5: "SOCKS", 22: "TLS"}


class ProxyConnection(TunnellingConnection):
    """
    One client. It has one exchange at a time; what it sends ahead waits.

    @ivar accounts: whether somebody hears of what was looked at and passed on, too.
    """

    def __init__(self, factory: ProxyFactory) -> None:
        super().__init__(factory)
        self._heads: HeadReader | None = None
        self._headSince: float | None = None
        self._head: RequestHead | None = None
        self._body: BodyReader | None = None
        self._bodySize = 0
        self._exchange: Exchange | None = None
        self._fast: FastExchange | None = None
        self.accounts = self._account.isFull
        self._ahead = b""
        self._advancing = False
        self._admission: Deferred[str] | None = None
        self._lingersSince: float | None = None
        self._halfClosedSince: float | None = None

    # ServiceConnection

    def received(self, data: bytes) -> None:
        if not (self.factory.fastPath.isOpen and self._isFree and self._takeFastPath(data)):
            super().received(data)

    def drop(self, outcome: str) -> None:
        if self._exchange is not None:
            self._exchange.cancel(outcome)
        super().drop(outcome)

    def outputFull(self) -> None:
        if self._exchange is not None:
            self._exchange.clientIsFull()
        else:
            super().outputFull()

    def outputDrained(self) -> None:
        super().outputDrained()
        if self._exchange is not None:
            self._exchange.clientDrained()
        elif self._lingersSince == inf:
            self._endAnswering()
        elif self._splice is None:
            self._advance()

    def ended(self, reason: Failure) -> None:
        self._leaveFastPath()
        self._ahead = b""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cancel()
            self._account.exchanged(exchange, self._bodySize)
        super().ended(reason)
        if self._admission is not None:
            self._admission.cancel()

    @property
    def spooled(self) -> int:
        """Bytes of bodies that are held in temporary files."""
        return 0 if self._exchange is None else self._exchange.spooled

    @property
    def busy(self) -> bool:
        underWay = self._exchange or self._fast or self._splice or self._admission or self._heads
        return bool(underWay)

    @property
    def notable(self) -> bool:
        """
        Not where a client has asked, was answered, and left: a line costs as much as such a connection, and
        the requests are in the access log.
        """
        return not self.requests or self._account.noted or self.outcome not in _ORDERLY

    def summary(self) -> str:
        return f"{counted(self.requests, 'request')}, {super().summary()}"

    def watchTime(self, now: float) -> None:
        # There are no limits on the fast path: nothing is there for long.
        self._leaveFastPath()
        phases = self.factory.policy.phases
        lifetime = self.factory.limits.lifetime
        if _over(self._lingersSince, phases.linger + (phases.response or inf), now):
            self.drop("the client does not read")
        elif _over(self._lingersSince, phases.linger, now):
            # What the client's system has not taken yet still gets there: no reset.
            self.close("answered")
        elif _over(self.openedAt, lifetime, now):
            self.drop(f"open for {lifetime:g} s")
        elif self._exchange is not None:
            self._watchExchange(self._exchange, now)
        elif self._handshakeIsOver(now):
            self.drop("the TLS handshake took too long")
        elif self._splice is None and _over(self._headSince, phases.head, now):
            self._head = None
            self._answer(refusal(408, f"the request's head was not complete within {phases.head:g} s"))
        else:
            super().watchTime(now)

    def _watchExchange(self, exchange: Exchange, now: float) -> None:
        phases, holding = self.factory.policy.phases, self.factory.policy.holding
        if _over(self._halfClosedSince, phases.halfClosed, now) and not exchange.status:
            self.drop("the client left")
        elif _over(exchange.startedAt, phases.exchange, now):
            status = 504 if exchange.requestDone else 408
            exchange.refuse(status, f"the exchange was not complete within {phases.exchange:g} s")
        elif _over(exchange.heldSince, holding.seconds, now):
            exchange.heldTooLong()
        elif _over(exchange.progressAt, phases.response, now):
            if exchange.clientFull:
                self.drop("the client does not read")
            elif exchange.requestDone or exchange.originIsFull:
                exchange.refuse(504, f"the origin was silent for {phases.response:g} s")
            else:
                exchange.refuse(408, f"the request's body stopped for {phases.response:g} s")

    # How requests are read.

    def _read(self, data: bytes) -> None:
        if self._lingersSince is None and not self._closing:
            self._ahead = self._ahead + data if self._ahead else data
            self._advance()

    def _readEnd(self) -> None:
        self._leaveFastPath()
        if (self._exchange is None and self._admission is None) or self._lingersSince is not None:
            self.close("closed by the peer")
        elif self._exchange is not None and not self._exchange.requestDone:
            self.close("closed in the middle of a request")
        else:
            # It may have closed only its half, and wait for the answer; or it may be gone.
            self._halfClosedSince = self.factory.clock.seconds()

    def _takeAhead(self) -> bytes:
        ahead, self._ahead = self._ahead, b""
        return ahead

    def _advance(self) -> None:
        """Go on with what has come: heads and bodies, one exchange at a time."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ahead and not self._closing and self._lingersSince is None and self._step():
                pass
        finally:
            self._advancing = False
        if len(self._ahead) > _MOST_AHEAD:
            self.hold("ahead")
        else:
            self.release("ahead")

    def _step(self) -> bool:
        """Take one step through what has come; whether there may be another."""
        try:
            if self._fast is not None:
                return False
            if self._exchange is None:
                return self._admission is None and not self.held("output") and self._readHead()
            body = self._body
            if body is None or body.done:
                return False
            self._readBody(self._exchange, body)
        except BadMessage as problem:
            self._refuse(problem)
            return False
        return True

    def _readHead(self) -> bool:
        policy = self.factory.policy
        if self._heads is None:
            if other := _OTHERS.get(self._ahead[0]):
                raise BadMessage(
                    f"what comes is {other}, not HTTP: this is an http:// proxy, also for https://"
                )
            self._heads = HeadReader(policy.heads.size)
        data, self._ahead = self._ahead, b""
        found = self._heads.feed(data)
        if found is None:
            if self._headSince is None and len(self._heads):
                self._headSince = self.factory.clock.seconds()
            return False
        raw, self._ahead = found
        self._heads = self._headSince = self._head = None
        head = self._head = parseRequestHead(raw, policy.heads.fields, policy.heads.target)
        self.requests += 1
        tunnel = self._intercepted
        url = head.target if tunnel is None else tunnel.url(head.target)
        self._account.begin(head, url, early=len(self._ahead))
        self._begin(head)
        return True

    def _readBody(self, exchange: Exchange, body: BodyReader) -> None:
        data, self._ahead = self._ahead, b""
        content = body.feed(data)
        self._bodySize += len(content)
        most = self.factory.policy.mostRequestBody
        if most and self._bodySize > most:
            raise TooLarge(f"a body of over {most} bytes", 413)
        exchange.progressed()
        exchange.requestReceived(content)
        if body.done:
            self._ahead = body.rest
            exchange.requestEnded(body.trailers)

    def _begin(self, head: RequestHead) -> None:
        factory = self.factory
        if factory.name in viaNames(head.fields):
            raise BadMessage("the request has been here before: a loop of proxies", 508)
        checkConnection(head.fields)
        body = requestBody(head)
        if head.method in (b"CONNECT", b"TRACE") and not body.done:
            raise BadMessage(f"a {head.method.decode('ascii')} request has no content")
        factory.access.count(self.host)
        if factory.access.asks and self._intercepted is None:
            # Whoever is inside of a tunnel was asked when it was opened.
            self._account.user = ""
            admission = self._admission = factory.access.identify(self.host, head)
            admission.addCallbacks(self._admitted, self._notAdmitted, (head, body))
        else:
            self._serve(head, body)

    def _admitted(self, user: str, head: RequestHead, body: BodyReader) -> None:
        self._admission = None
        self._account.user = user
        try:
            self._serve(self.factory.access.withoutCredentials(head), body)
        except BadMessage as problem:
            self._refuse(problem)
        except Exception:
            self._failed()
        self._advance()

    def _notAdmitted(self, failure: Failure) -> None:
        self._admission = None
        if isinstance(failure.value, BadMessage):
            self._refuse(failure.value)
        elif not failure.check(CancelledError):
            self.factory.log.failure("a bug in asking who it is", failure=failure)
            self.drop("a bug in this service")

    def _serve(self, head: RequestHead, body: BodyReader) -> None:
        factory = self.factory
        if head.method == b"CONNECT":
            self._tunnel(head)
            return
        if mostForwards(head) == 0 or self._isForProxy(head):
            checkHost(head)
            self._answer(lastAnswer(head), Decision.ANSWERED)
            return
        route = self._route(head)
        factory.policy.checkHost(route.origin.host)
        route = factory.upstreams.through(route)
        self._body = body
        self._bodySize = 0
        exchange = Exchange(
            self, head, body, route, factory.pool, factory.policy, factory.name, factory.clock
        )
        self._exchange = exchange
        exchange.start()

    def _isForProxy(self, head: RequestHead) -> bool:
        """C{OPTIONS *} asks whom it is sent to, and that is us unless we stand for one origin."""
        isProxy = self.factory.target is None and self._intercepted is None
        return isProxy and head.method == b"OPTIONS" and head.target == b"*"

    def _route(self, head: RequestHead) -> Route:
        if self._intercepted is not None:
            return routeIntercepted(head, self._intercepted.origin)
        fixed = self.factory.target
        return routeForward(head) if fixed is None else routeFixed(head, fixed)

    # The fast path.

    @property
    def _isFree(self) -> bool:
        """Whether nothing is under way, and nothing has begun."""
        return (
            self._exchange is None
            and self._fast is None
            and self._heads is None
            and not self._ahead
            and not self._holds
            and not self._ignoring
            and self._splice is None
            and self._intercepted is None
            and self._admission is None
            and self._lingersSince is None
        )

    def _takeFastPath(self, data: bytes) -> bool:
        exchange = self._fast = self.factory.fastPath.take(self, data)
        if exchange is None:
            return False
        self.requests += 1
        return True

    def _leaveFastPath(self) -> None:
        if self._fast is not None:
            self._fast.becomePlain()

    def plainExchange(self, fast: FastExchange) -> Exchange:
        """The exchange on the plain path in the place of one on the fast path."""
        factory, policy = self.factory, fast.policy
        self._fast = None
        self._head = head = parseRequestHead(fast.data, policy.heads.fields, policy.heads.target)
        self._account.begin(head, head.target, early=len(self._ahead), since=fast.startedAt)
        body = self._body = requestBody(head)
        self._bodySize = 0
        exchange = self._exchange = Exchange(
            self, head, body, self._route(head), factory.pool, policy, factory.name, factory.clock
        )
        return exchange

    def completeFast(
        self, fast: FastExchange, response: ResponseHead, answer: bytes, inspection: float, keep: bool
    ) -> None:
        """
        An exchange on the fast path is complete.

        @param answer: what the client gets.
        @param inspection: seconds that it took to look at the body.
        """
        self._fast = None
        account = self._account
        if self.accounts:
            head = parseRequestHead(fast.data, self.factory.policy.heads.fields)
            account.begin(head, head.target, early=len(self._ahead), since=fast.startedAt)
        super().write(answer)
        if self.accounts:
            firstByte = fast.firstByteAt - fast.startedAt
            account.passed(response, fast.origin, firstByte, inspection, len(fast.data))
        if not keep:
            self._linger()
            return
        self.progressed()
        if self._ahead:
            self._advance()

    # Client: what the exchange does.

    def persists(self, head: RequestHead) -> bool:
        """Whether the connection will be kept after the answer to this request."""
        if head.version is Version.HTTP10 and self.factory.target is None:
            # What such a client says of the connection, it may say to another proxy (RFC 9112, 9.3).
            return False
        return head.persistent and not self.factory.settling and self._halfClosedSince is None

    def abort(self, why: str) -> None:
        """Break the connection off."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._account.exchanged(exchange, self._bodySize)
        self.drop(why)

    def exchangeEnded(self, exchange: Exchange, keep: bool) -> None:
        """The answer is complete: go on with the next request, or come to an end."""
        self._exchange = self._body = None
        self._account.exchanged(exchange, self._bodySize)
        if exchange.clientFull:
            self.hold("output")
        if not keep:
            self._linger()
        else:
            self.progressed()
            self._advance()

    def switch(self, exchange: Exchange, head: bytes, origin: OriginConnection) -> None:
        """The client and the origin speak another protocol after this head."""
        self._exchange = self._body = None
        self._switch(exchange, head, origin)

    # Answers without an exchange, and the end.

    def _refuse(self, problem: BadMessage) -> None:
        """Answer what can not be read; nothing after it can be, either."""
        exchange = self._exchange
        if exchange is not None:
            exchange.refuse(problem.status, str(problem))
        else:
            self._answer(refusal(problem.status, str(problem), problem.fields))

    def _answer(
        self, answer: Answer, decision: Decision = Decision.REFUSED, origin: Origin | None = None
    ) -> None:
        head = self._head
        method = head.method if head is not None else b""
        answer = self.factory.policy.dressed(answer, head, self._intercepted is not None)
        self.write(answer.encode(Version.HTTP11, method, close=True, now=time()))
        self._account.answered(answer.status, decision, answer.why, origin)
        self._linger()

    def _linger(self) -> None:
        """
        End the connection in the way of RFC 9112, 9.6: half of it first, so that a client that is still
        sending can read the answer before it meets a reset.
        """
        self._ahead = b""
        self._heads = self._headSince = None
        if self._inputEnded or self._closing:
            self.close("answered")
        elif self.held("output"):
            # A client that reads slowly has all the time that it may have while it is answered.
            self._lingersSince = inf
        else:
            self._endAnswering()

    def _endAnswering(self) -> None:
        """Everything has left: now the client's half is waited for, and not for long."""
        if not self._closing:
            self._lingersSince = self.factory.clock.seconds()
            for why in ("output", "ahead", "connecting"):
                self.release(why)
            self.endOutput()


def _over(since: float | None, limit: float, now: float) -> bool:
    return since is not None and limit > 0 and now - since >= limit
