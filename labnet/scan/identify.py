"""
Asking an open port who is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from OpenSSL.SSL import Connection as TLSConnection
from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.scan.target import Address
from labnet.scan.wire import (
    LISTENING,
    LONGEST_REPLY,
    QUESTIONS,
    TLS,
    Identity,
    Question,
    inOrder,
    mostLikely,
    recognised,
    unrecognised,
)

__all__ = ["MOST_ASKED", "Manners", "identify", "identifyAll"]

#: Ports that are asked in one scan; a machine that answers on more of them is a trap.
MOST_ASKED = 1_000

_HTTP = next(question for question in QUESTIONS if question.name == "http")


@dataclass(frozen=True, slots=True)
class Manners:
    """
    How gently one asks.

    @ivar listening: seconds for a server to speak first.
    @ivar patience: seconds for the beginning of each reply, and for a connection.
    @ivar pause: seconds of silence that end a reply.
    @ivar atOnce: ports that are asked at the same time.
    """

    listening: float = 0.3
    patience: float = 0.5
    pause: float = 0.1
    atOnce: int = 8


@implementer(IHandshakeListener)
class _Conversation(Protocol):
    """
    A connection on which one says something and hears what comes, up to L{LONGEST_REPLY} bytes.

    @ivar ended: whether the peer has ended it.
    @ivar secured: whether a TLS handshake was completed on it.
    """

    transport: Transport

    def __init__(self, reactor: Any, manners: Manners) -> None:
        self._reactor = reactor
        self._manners = manners
        self._heard = bytearray()
        self._hearing: Deferred[bytes] | None = None
        self._timer: IDelayedCall | None = None
        self.ended = False
        self.secured = False
        self.reason: Failure = connectionDone

    def hear(self, seconds: float) -> Deferred[bytes]:
        """
        What the peer says, if it begins within so many seconds: up to a pause, its end, or the limit.
        """
        self._heard.clear()
        self._hearing = Deferred(lambda hearing: self._stop())
        hearing = self._hearing
        self._timer = self._reactor.callLater(seconds, self._enough)
        if self.ended:
            self._enough()
        return hearing

    def secure(self) -> Deferred[bytes]:
        """Wait for the end of a handshake, whether good or bad."""
        hearing = self.hear(self._manners.patience)
        if self.secured:
            self._enough()
        return hearing

    def handshakeCompleted(self) -> None:
        self.secured = True
        self._enough()

    def dataReceived(self, data: bytes) -> None:
        if self._hearing is None:
            return
        self._heard += data[: LONGEST_REPLY - len(self._heard)]
        if len(self._heard) >= LONGEST_REPLY:
            self._enough()
        elif self._timer is not None:
            self._timer.reset(self._manners.pause)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = True
        self.reason = reason
        self._enough()

    def _enough(self) -> None:
        self._stop()
        hearing, self._hearing = self._hearing, None
        if hearing is not None and not hearing.called:
            hearing.callback(bytes(self._heard))

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _endpoint(reactor: Any, address: Address, port: int, timeout: float) -> IStreamClientEndpoint:
    kind = TCP4ClientEndpoint if address.version == 4 else TCP6ClientEndpoint
    return kind(reactor, str(address), port, timeout)


async def identify(reactor: Any, address: Address, port: int, manners: Manners | None = None) -> Identity:
    """
    Who is there. A question each gets a connection; the first goes to the one that was listened on.

    @raise twisted.internet.error.ConnectError: nobody is there any more.
    """
    asking = _Asking(reactor, address, port, manners or Manners())
    questions: list[Question] = list(inOrder(mostLikely(port)))
    identity = await asking.listen(questions)
    while identity is None and questions:
        question = questions.pop(0)
        try:
            identity = await (asking.secured() if question is TLS else asking.ask(question))
        except ConnectError:
            break
    return identity or unrecognised(asking.heard)


class _Asking:
    """
    The questions to one port.

    @ivar heard: the first reply that was not recognised.
    """

    def __init__(self, reactor: Any, address: Address, port: int, manners: Manners) -> None:
        self._reactor = reactor
        self._manners = manners
        self._endpoint = _endpoint(reactor, address, port, manners.patience)
        self.heard = b""

    async def listen(self, questions: list[Question]) -> Identity | None:
        """
        Listen first. Unless the peer has spoken or gone, ask then on the same connection: the first of the
        questions, which is taken from them.
        """
        conversation = await self._begin()
        try:
            reply = await conversation.hear(self._manners.listening)
            if reply:
                return recognised(LISTENING, reply) or unrecognised(reply)
            if conversation.ended or questions[0] is TLS:
                return None
            return await self._say(conversation, questions.pop(0))
        finally:
            conversation.transport.loseConnection()

    async def ask(self, question: Question) -> Identity | None:
        """Ask on a connection of its own."""
        conversation = await self._begin()
        try:
            return await self._say(conversation, question)
        finally:
            conversation.transport.loseConnection()

    async def secured(self) -> Identity | None:
        """Shake hands as TLS does, and ask for a page then."""
        conversation = await self._begin(secure=True)
        try:
            await conversation.secure()
            if not conversation.secured:
                return Identity("tls", "the handshake fails") if _wasAlert(conversation) else None
            version, named = _described(conversation)
            inside = await self._say(conversation, _HTTP)
            if inside is None:
                return Identity("tls", version, named)
            return Identity(f"{inside.service} over tls", version, (*named, *inside.said))
        finally:
            conversation.transport.abortConnection()

    async def _begin(self, secure: bool = False) -> _Conversation:
        conversation = _Conversation(self._reactor, self._manners)
        factory: Any = Factory.forProtocol(lambda: conversation)
        factory.noisy = False
        if secure:
            # It believes every certificate: one wants to know what is there, and tells it nothing.
            factory = TLSMemoryBIOFactory(CertificateOptions(), True, factory)
            factory.noisy = False
        await self._endpoint.connect(factory)
        return conversation

    async def _say(self, conversation: _Conversation, question: Question) -> Identity | None:
        conversation.transport.write(question.request)
        reply = await conversation.hear(self._manners.patience)
        self.heard = self.heard or reply
        return recognised(question, reply)


def _wasAlert(conversation: _Conversation) -> bool:
    """Whether the handshake failed because the peer, in TLS, said so."""
    if not conversation.reason.check(TLSError):
        return False
    return "alert" in str(conversation.reason.value)


def _described(conversation: _Conversation) -> tuple[str, tuple[bytes, ...]]:
    """The version, and whom the certificate names."""
    connection: TLSConnection = cast(Any, conversation.transport).getHandle()
    certificate = connection.get_peer_certificate()
    name = certificate.get_subject().CN if certificate is not None else None
    return connection.get_protocol_version_name(), (name.encode(),) if name else ()


async def identifyAll(
    reactor: Any,
    places: Sequence[tuple[Address, int]],
    manners: Manners | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> dict[tuple[Address, int], Identity]:
    """
    Ask many ports, a few at a time; at most L{MOST_ASKED}, the rest is left out of the result.

    @param progress: called with the number of ports that have been asked.
    """
    manners = manners or Manners()
    turn = DeferredSemaphore(manners.atOnce)
    identities: dict[tuple[Address, int], Identity] = {}

    async def one(place: tuple[Address, int]) -> None:
        try:
            identities[place] = await identify(reactor, *place, manners)
        except (ConnectError, ConnectionClosed, OSError):
            identities[place] = Identity("unknown", "gone when asked")
        progress(len(identities))

    await gatherResults([turn.run(one, place) for place in places[:MOST_ASKED]], consumeErrors=True)
    return identities
