"""
One question and one answer over datagrams, which may be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    MessageLengthError,
    TimeoutError,
)
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget, isHost

__all__ = ["DatagramReactor", "ask"]


class DatagramReactor(Protocol):
    """What datagrams need of a reactor: a clock, ports, and names."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall: ...

    def listenUDP(
        self,
        port: int,
        protocol: DatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,
    ) -> IListeningPort: ...

    def resolve(self, name: str, timeout: tuple[int, ...] = ...) -> Deferred[str]: ...


class _Exchange(DatagramProtocol):
    """Sends a request until an acceptable answer comes from where it was sent, or the tries are over."""

    noisy = False
    transport: IUDPTransport

    def __init__(
        self,
        reactor: DatagramReactor,
        target: DatagramTarget,
        request: bytes,
        timeout: float,
        tries: int,
        accepts: Callable[[bytes], bool],
        sentAgain: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._request = request
        self._timeout = timeout
        self._triesLeft = tries
        self._tries = tries
        self._accepts = accepts
        self._sentAgain = sentAgain
        self._timer: IDelayedCall | None = None
        self._closing = False
        self.answer: Deferred[bytes] = Deferred(lambda _: self._close())

    def startProtocol(self) -> None:
        try:
            # A connected socket takes answers from nobody else, and hears when nobody listens there.
            self.transport.connect(self._target.host, self._target.port)
        except OSError as error:
            self._end(Failure(error))
        else:
            self._send()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self._accepts(datagram):
            self._end(datagram)

    def stopProtocol(self) -> None:
        # The epoll and poll reactors close the port of a refused datagram, in place of calling
        # connectionRefused: all they see is an error without input.
        if not self._closing:
            self.connectionRefused()

    def connectionRefused(self) -> None:
        self._end(Failure(ConnectionRefusedError(f"nothing listens on {self._target}")))

    def _send(self) -> None:
        self._timer = None
        if not self._triesLeft:
            plural = "try" if self._tries == 1 else "tries"
            self._end(Failure(TimeoutError(f"no answer from {self._target} in {self._tries} {plural}")))
            return
        if self._triesLeft < self._tries:
            self._sentAgain()
        self._triesLeft -= 1
        self._timer = self._reactor.callLater(self._timeout, self._send)
        try:
            self.transport.write(self._request, (self._target.host, self._target.port))
        except (OSError, MessageLengthError) as error:
            self._end(Failure(error))

    def _close(self) -> None:
        self._closing = True
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if self.transport is not None:
            self.transport.stopListening()

    def _end(self, result: bytes | Failure) -> None:
        if not self.answer.called:
            self._close()
            if isinstance(result, Failure):
                self.answer.errback(result)
            else:
                self.answer.callback(result)


async def ask(
    reactor: DatagramReactor,
    target: DatagramTarget,
    request: bytes,
    *,
    timeout: float = 1.0,
    tries: int = 3,
    accepts: Callable[[bytes], bool] = lambda datagram: True,
    sentAgain: Callable[[], object] = lambda: None,
) -> bytes:
    """
    Send C{request} and return the answer.

    Each exchange has a socket of its own, so that an answer that comes late is never taken for the
    answer to a later question.

    @param target: where to; a name is looked up first.
    @param timeout: seconds to wait for each try.
    @param tries: how often the request is sent at most.
    @param accepts: whether a datagram is an answer; what is none is ignored.
    @param sentAgain: called each time the request goes out once more.
    @raise TimeoutError: no answer came.
    @raise ConnectionRefusedError: nothing listens there.
    @raise twisted.internet.error.DNSLookupError: the name has no address.
    @raise OSError: the network does not take the request.
    """
    if not isIPAddress(target.host) and not isIPv6Address(target.host):
        if not isHost(target.host):
            raise DNSLookupError(f"{target.host!r} is no name")
        host = await reactor.resolve(target.host, (max(1, round(timeout)),) * tries)
        target = DatagramTarget(host, target.port)
    exchange = _Exchange(reactor, target, request, timeout, tries, accepts, sentAgain)
    interface = "::" if ":" in target.host else ""
    reactor.listenUDP(0, exchange, interface=interface, maxPacketSize=65536)
    return await exchange.answer
