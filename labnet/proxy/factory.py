"""
The proxy as a factory: what all its connections share.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from time import time
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from labnet.net.agreement import HTTP
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.endpoints import peerHost
from labnet.net.limits import Limits, PeerCount
from labnet.net.metrics import Family
from labnet.net.sockets import SocketOptions
from labnet.proxy.access import Access, TurnedAway
from labnet.proxy.accesslog import LoggedJournal
from labnet.proxy.client import OriginPool
from labnet.proxy.exposition import families
from labnet.proxy.fastpath import FastPath
from labnet.proxy.figures import figuresOf
from labnet.proxy.interception import Interception
from labnet.proxy.journal import Journal, Journals
from labnet.proxy.metrics import Counts
from labnet.proxy.policy import Answer, Policy, refusal
from labnet.proxy.server import ProxyConnection
from labnet.proxy.target import Origin
from labnet.proxy.upstream import Upstreams
from labnet.proxy.wire import Version

__all__ = ["ProxyFactory"]


class ProxyFactory(ServiceFactory):
    """
    The proxy.

    @param clock: the reactor, or a C{Clock} in a test.
    @param connect: gives the endpoint of an origin; it bounds the attempt.
    @param policy: what may pass.
    @param target: the one origin that all requests go to; L{None} for a forward proxy.
    @param interception: whose HTTPS is looked into; L{None} for nobody's.
    @param limits: how many connections, how long.
    @param sockets: the TCP options, of both sides.
    @param journal: hears of each exchange; without one, each decision has a line in the log.
    @param access: who may use it; clients on this machine, unless told otherwise.
    @param peers: counts who is connected; for this factory alone, unless told otherwise.
    @param upstreams: which origins are reached through another proxy; none are, unless told otherwise.
    @param fast: take the fast path where there is one; not taking it changes nothing but the time.
    @ivar name: who this proxy is in Via fields; no other has it.
    """

    service: ClassVar[str] = "proxy"
    log = Logger()
    connectionClass = ProxyConnection
    applicationProtocols = HTTP

    def __init__(
        self,
        clock: IReactorTime,
        connect: Callable[[Origin], IStreamClientEndpoint],
        policy: Policy | None = None,
        *,
        target: Origin | None = None,
        interception: Interception | None = None,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
        journal: Journal | None = None,
        access: Access | None = None,
        upstreams: Upstreams | None = None,
        peers: PeerCount | None = None,
        fast: bool = True,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self._peers = peers or self._peers
        self.connect = connect
        self.fast = fast
        self.target = target
        self.interception = interception
        self.journal = journal or LoggedJournal(self.log)
        self.access = access or Access(clock)
        self.upstreams = upstreams or Upstreams()
        self.policy = policy or Policy()
        self.name = b"labnet-" + secrets.token_hex(4).encode("ascii")
        self._counts: Counts | None = None
        self.pool = OriginPool(clock, connect, heads=self.policy.heads, sockets=self.sockets.apply)

    @property
    def policy(self) -> Policy:
        """What may pass. Another one is for the requests that come from then on."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = policy
        self.fastPath = FastPath(self, policy)

    def buildProtocol(self, addr: IAddress | None) -> ServiceConnection | TurnedAway | None:  # type: ignore[override]
        if not self.access.welcomes(peerHost(addr)):
            self.refused.add("not among the clients")
            return self._turnAway(refusal(403, "this proxy does not serve your address"))
        connection = super().buildProtocol(addr)
        if connection is None and not self.settling:
            return self._turnAway(refusal(503, "there are too many connections", [(b"Retry-After", b"5")]))
        return connection

    def _turnAway(self, answer: Answer) -> TurnedAway | None:
        answer = self.policy.dressed(answer, None, secure=False)
        return self.access.turnAway(answer.encode(Version.HTTP11, b"", close=True, now=time()))

    def build(self) -> ProxyConnection:
        return ProxyConnection(self)

    def figures(self) -> Iterable[Family]:
        if self._counts is None:
            # Counting costs each request a little: only who asks for figures pays for it.
            self._counts = Counts()
            self.journal = Journals([self.journal, self._counts])
        return families(self._counts.snapshot(figuresOf([self]), 0.0))

    def finish(self) -> Deferred[None]:
        return super().finish().addCallback(lambda _: self.pool.close())

    def timeLimits(self) -> tuple[float, ...]:
        phases = self.policy.phases
        handshake = self.interception.handshake if self.interception is not None else 0.0
        held = self.policy.holding.seconds
        ours = (
            phases.head,
            phases.response,
            phases.exchange,
            phases.linger,
            phases.halfClosed,
            handshake,
            held,
        )
        return (*super().timeLimits(), *ours)
