"""
One request and its response: from the client's head to the last byte of the answer.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import time

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from labnet.proxy.answering import AnsweringExchange
from labnet.proxy.body import (
    BodyReader,
    ChunkedBody,
    LengthBody,
)
from labnet.proxy.client import OriginConnection, OriginPool
from labnet.proxy.clientside import Client
from labnet.proxy.decoding import Undecodable
from labnet.proxy.delivery import Cut, Delivery, Held, Streamed
from labnet.proxy.forwarding import (
    forwardedRequest,
    forwardedResponse,
    switchedTo,
    upgradesAsked,
)
from labnet.proxy.inspection import Finding, SlowRule, requestFinding, responseFinding
from labnet.proxy.journal import Decision
from labnet.proxy.measuring import MeasuredInspector
from labnet.proxy.outbound import unreachable
from labnet.proxy.pages import printable
from labnet.proxy.policy import Answer, Policy, Uninspectable, blockedAnswer, isStream, refusal
from labnet.proxy.rules import Rule
from labnet.proxy.target import Origin, Route
from labnet.proxy.upload import HeldUpload, NoUpload, StreamedUpload, Upload
from labnet.proxy.wire import Fields, RequestHead, ResponseHead, Version

__all__ = ["Exchange"]

_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
_NO_UPLOAD = NoUpload()


class Exchange(AnsweringExchange):
    """
    Drives one request to an origin and its response to the client.

    @param client: who asked.
    @param head: what.
    @param body: how the request's body is delimited.
    @param route: where to.
    @param pool: the connections to origins.
    @param policy: what may pass.
    @param name: the proxy's, for Via.
    @param clock: the reactor, or a C{Clock} in a test.
    @ivar decision: what the proxy decided; C{note} says why, C{finding} which blocked string.
    @ivar connectTime: seconds to reach the origin, if that had to be done.
    @ivar firstByteTime: seconds from the beginning to the head of the final response.
    @ivar reused: whether the connection to the origin had been used before.
    @ivar inspectors: what looks at the bodies.
    @ivar startedAt: when it began.
    @ivar progressAt: when something was done last.
    """

    def __init__(
        self,
        client: Client,
        head: RequestHead,
        body: BodyReader,
        route: Route,
        pool: OriginPool,
        policy: Policy,
        name: bytes,
        clock: IReactorTime,
    ) -> None:
        super().__init__(client, head, body, route, name)
        self.decision = Decision.PASSED
        self.note = ""
        self.finding: Finding | None = None
        self.connectTime: float | None = None
        self.firstByteTime: float | None = None
        self.reused = False
        self.inspectors: list[MeasuredInspector] = []
        self.originIsFull = False
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self.progressAt = self.startedAt = self._reachingAt = clock.seconds()
        self._choice = policy.choices.choose(route.origin.host, route.target)
        self._rules = self._choice.response
        self._upgrades = upgradesAsked(head, policy.upgrades) if body.done else ()
        self._connecting: Deferred[None] | None = None
        self._upload: Upload = StreamedUpload(self, body)
        self._retried = False

    @property
    def spooled(self) -> int:
        """Bytes of the bodies that are held in temporary files."""
        response = 0
        if self._replay is not None:
            response = self._replay.spool.sizeOnDisk
        elif self._delivery is not None:
            response = self._delivery.spooled
        return self._upload.spooled + response

    def progressed(self) -> None:
        """Something was done: whoever is waited for has not gone."""
        self.progressAt = self._clock.seconds()

    # The request.

    def start(self) -> None:
        """Begin: look at the request if requests are looked at, and reach for the origin."""
        rules = self._choice.forBody(self.head.fields)
        if not rules:
            if isinstance(self._body, ChunkedBody) and not self._pool.readsChunks(self._next):
                self._holdRequest(())
            else:
                self.reach()
            return
        try:
            found = requestFinding(rules, self.head)
        except SlowRule as problem:
            self.refuse(403, f"the request can not be looked at: {problem}")
            return
        if found is not None:
            self.blocked(found)
        elif self.requestDone:
            self.reach()
        else:
            self._holdRequest(rules)

    def _holdRequest(self, rules: tuple[Rule, ...]) -> None:
        fields = self.head.fields
        try:
            upload = self._upload = HeldUpload(self, fields, rules, self._policy)
            if upload.inspector is not None:
                self.inspectors.append(upload.inspector)
        except Undecodable as problem:
            self.refuse(415, f"the request's body can not be looked at: {problem}")
            return
        if self.head.version is Version.HTTP11 and b"100-continue" in fields.tokens(b"expect"):
            # The body is needed here before the origin hears of the request.
            self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def requestReceived(self, content: bytes) -> None:
        """A piece of the request's body has come."""
        if not self._ended and content:
            self._upload.received(content)

    def requestEnded(self, trailers: Fields) -> None:
        """The request is complete."""
        self.requestDone = True
        if not self._ended:
            self._upload.ended(trailers)

    def reach(self, fresh: bool = False) -> None:
        """Reach for the origin; C{fresh}: not over a connection that was used before."""
        self._reachingAt = self.progressAt
        origin = self._next
        waiting = None if fresh else self._pool.take(origin)
        if waiting is not None:
            self._reached(waiting)
        else:
            self._connecting = Deferred.fromCoroutine(self._connect(origin))
            self._connecting.addErrback(self._unreachable)

    @property
    def _next(self) -> Origin:
        return self.route.hop or self.route.origin

    async def _connect(self, where: Origin) -> None:
        origin = await self._pool.make(where)
        if self._ended:
            origin.abort()
        else:
            self._reached(origin)

    def _reached(self, origin: OriginConnection) -> None:
        self._origin = origin
        self.progressed()
        origin.ask(self, self.head.method)
        self.reused = origin.exchanges > 1
        self.connectTime = None if self.reused else self.progressAt - self._reachingAt
        inspected, size = bool(self._rules), self._upload.size
        origin.write(
            forwardedRequest(self.head, self.route, self._body, self._name, inspected, size, self._upgrades)
        )
        self._upload.sendTo(origin)

    def adopt(self, origin: OriginConnection, startedAt: float, progressAt: float) -> None:
        """Go on with what began on the fast path: the request was sent to C{origin}."""
        self._origin = origin
        self.reused = True
        self.startedAt, self.progressAt = startedAt, progressAt
        origin.becomePlain(self, self.head.method)

    def holdClient(self) -> None:
        """Take no more from the client."""
        self._client.hold("origin")

    def releaseClient(self) -> None:
        """Take more from the client."""
        self._client.release("origin")

    def _unreachable(self, failure: Failure) -> None:
        # Its traceback has this exchange in it, and itself.
        failure.cleanFailure()
        if self._ended or failure.check(CancelledError):
            return
        problem = unreachable(self.route.origin, failure)
        self.refuse(problem.status, str(problem))

    # ResponseReceiver: what comes from the origin.

    def responseInformational(self, head: ResponseHead) -> None:
        """An interim response goes to the client at once, unless that is too old to know of any."""
        self.progressed()
        if self.head.version is Version.HTTP10:
            return
        with suppress(SlowRule):
            if responseFinding(self._rules, head) is None:
                answer = forwardedResponse(head, self._name, now=time(), framing=None, connection=b"")
                self._client.write(answer)

    def responseSwitched(self, head: ResponseHead) -> None:
        """The origin speaks another protocol from now on: so may the client, if it asked for that."""
        protocol = switchedTo(head, self._upgrades)
        if not self._passes(head):
            return
        self.status, self.response, self.decision = 101, head, Decision.NOT_INSPECTED
        self.note = f"not inspected: {protocol.decode('ascii')}"
        answer = forwardedResponse(
            head, self._name, now=time(), framing=None, connection=b"Upgrade", upgrade=protocol
        )
        origin, self._origin = self._origin, None
        assert origin is not None
        self._stop()
        self._client.switch(self, answer, origin)

    def responseStarted(self, head: ResponseHead, body: BodyReader) -> None:
        """The response's head decides how its body is delivered."""
        self.progressed()
        self.route.checkStatus(head.status)
        self.firstByteTime = self.progressAt - self.startedAt
        if self.route.origin.secure:
            # Another place for the same origin (RFC 7838) is reached by a tunnel that is not looked into.
            head = replace(head, fields=head.fields.without((b"alt-svc",)))
        self.response = head
        self._responseBody = body
        self._choice = self._choice.forResponse(head.fields)
        self._rules = self._choice.response
        if self._passes(head):
            self._delivery = self._deliveryFor(head, body)

    def _passes(self, head: ResponseHead) -> bool:
        """Whether a response's head may pass. If not, the client is told something else."""
        try:
            found = responseFinding(self._rules, head)
        except SlowRule as problem:
            return self.uninspectable(str(problem))
        if found is not None:
            self.blocked(found)
        return found is None

    def responseReceived(self, content: bytes) -> None:
        """A piece of the response's body has come."""
        self.progressed()
        if self._delivery is not None:
            self._delivery.received(content)

    def responseEnded(self, trailers: Fields) -> None:
        """The origin has done its part."""
        self._origin = None
        if self._delivery is not None:
            self._delivery.ended(trailers)

    def responseFailed(self, why: str, silent: bool) -> None:
        """The origin has failed: try once more, say so, or break off what was begun."""
        origin, self._origin = self._origin, None
        if self._ended:
            return
        if silent and origin is not None and origin.exchanges > 1 and self._mayRepeat():
            # The origin closed a kept connection just as the request was on its way (RFC 9112, 9.3.1).
            self._retried = True
            self.reach(fresh=True)
        else:
            self.refuse(502, f"{self.route.origin}: {why}")

    def originFull(self) -> None:
        """The origin reads too slowly: the client has to wait."""
        self.originIsFull = True
        self._upload.originFull()

    def originDrained(self) -> None:
        """The origin reads again."""
        self.progressed()
        self.originIsFull = False
        self._upload.originDrained()

    def _mayRepeat(self) -> bool:
        return not self._retried and self.head.method in _REPEATABLE and self._upload.repeatable

    def _deliveryFor(self, head: ResponseHead, body: BodyReader) -> Delivery | None:
        if not self._rules or body.done or self._policy.skips(head):
            if self._choice.allowed:
                self._notInspected(f"allowed by {printable(self._choice.allowed)}")
            elif self._rules and not body.done:
                self._notInspected("media type")
            return self._streamed()
        codings = head.fields.tokens(b"content-encoding")
        cuts = self._policy.uninspectable is Uninspectable.CUT
        stream = isStream(head) and not isinstance(body, LengthBody)
        try:
            if head.status == 206:
                raise Undecodable("a part of the whole (206)")
            types = head.fields.values(b"content-type")
            inspector = MeasuredInspector(self._rules, codings, self._policy.decoding, types, cuts)
            self.inspectors.append(inspector)
            cuts = cuts and not inspector.encoded
            if stream and not cuts and not self._policy.waitsForStreams:
                raise Undecodable("a stream that may have no end")
        except Undecodable as problem:
            return self._streamed() if self.uninspectable(str(problem)) else None
        holding = self._policy.holding
        if cuts:
            if stream:
                self.begin(None)
            return Cut(self, inspector, self._rules, None if stream else holding.memory)
        if not isinstance(body, LengthBody):
            self.heldSince = self._clock.seconds()
        return Held(self, inspector, self._rules, holding.memory, holding.disk, holding.free)

    def heldTooLong(self) -> None:
        """The response that is held may have no end."""
        if isinstance(self._delivery, Held):
            self._delivery.giveUp(f"no end within {self._policy.holding.seconds:g} s")

    def _streamed(self) -> Delivery:
        self.begin(None)
        return Streamed(self)

    # Decisions.

    def blocked(self, found: Finding) -> None:
        """A blocked string was found."""
        self.finding = self.finding or found
        self._replace(blockedAnswer(self._policy, found), Decision.BLOCKED)

    def uninspectable(self, why: str) -> bool:
        """What can not be looked at follows the policy. Whether it passes."""
        if self._policy.uninspectable is Uninspectable.PASS:
            self._notInspected(why)
            return True
        self._replace(refusal(502, f"the response can not be looked at: {why}"), Decision.UNINSPECTABLE)
        return False

    def _notInspected(self, why: str) -> None:
        self.decision, self.note = Decision.NOT_INSPECTED, f"not inspected: {why}"

    def refuse(self, status: int, why: str) -> None:
        """Answer with an error."""
        self._replace(refusal(status, why), Decision.REFUSED)

    def _replace(self, answer: Answer, decision: Decision) -> None:
        """Answer in the origin's place, or break off an answer that has begun."""
        if self._ended:
            return
        self.decision, self.note = decision, answer.why
        if self._begun:
            self._stop()
            self._client.abort(answer.why)
            return
        keep = self._keeps() and self.requestDone and not answer.verbatim
        self.status = answer.status
        answer = self._policy.dressed(answer, self.head, self.route.origin.secure)
        self._client.write(answer.encode(self.head.version, self.head.method, close=not keep, now=time()))
        self._end(keep)

    def cancel(self, why: str = "") -> None:
        """The client has gone; or is gone from, with C{why} as the reason."""
        if not self.note:
            self.decision, self.note = (
                (Decision.REFUSED, why) if why else (Decision.LEFT, "the client left")
            )
        self._stop()

    def _end(self, keep: bool) -> None:
        if not self._ended:
            self._stop()
            self._client.exchangeEnded(self, keep)

    def _stop(self) -> None:
        self._ended = True
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.cancel()
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.close()
        replay, self._replay = self._replay, None
        if replay is not None:
            replay.close()
        self._upload.close()
        self._upload = _NO_UPLOAD
        self._client.release("origin")
