"""
The calculator's servers, over TCP and UDP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from labnet.calculator.arithmetic import Calculation, Division
from labnet.calculator.wire import (
    DEFAULT_PROFILE,
    EndOfSession,
    Malformed,
    Profile,
)
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.limits import DatagramLimits, Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logs import counted
from labnet.net.sockets import SocketOptions

__all__ = ["CalculatorDatagramProtocol", "CalculatorFactory", "CalculatorProtocol", "Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    How one listener calculates.

    @ivar profile: which bytes go over the wire.
    @ivar division: what C{/} means; L{None} for what the profile means by it.
    @ivar modulo: whether C{%} is an operator.
    @raise ValueError: the profile's replies have no place for the fraction of a true division.
    """

    profile: Profile = DEFAULT_PROFILE
    division: Division | None = None
    modulo: bool = False

    def __post_init__(self) -> None:
        if self.division is Division.TRUE and not self.profile.replies.fractions:
            raise ValueError(f"the replies of {self.profile.name} are integers: use floor or trunc")

    def answer(self, request: Calculation | Malformed) -> bytes:
        """The reply to a request that came over a stream."""
        return self.profile.answer(request, self.division or self.profile.division, self.modulo)

    def answerDatagram(self, request: Calculation | Malformed) -> bytes:
        """The reply to a request that came in a datagram."""
        division = self.division or self.profile.datagramDivision
        return self.profile.answer(request, division, self.modulo)


class CalculatorProtocol(LingeringConnection):
    """
    One client: its requests are answered in order, each reply in one write, until it closes.

    @param dialect: how to calculate.
    @param mostRequests: close after so many replies; 0 for no such limit.
    """

    def __init__(self, dialect: Dialect, mostRequests: int = 0) -> None:
        super().__init__()
        self._dialect = dialect
        self._mostRequests = mostRequests
        self._reader = dialect.profile.requests.reader()
        self.requests = 0
        self.errors = 0

    def received(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            if isinstance(request, EndOfSession):
                self.endWith(b"", "ended by the client")
                return
            self.requests += 1
            self.write(self._dialect.answer(request))
            self.touch()
            if isinstance(request, Malformed):
                self.errors += 1
                if request.fatal:
                    self.endWith(b"", request.why)
                    return
            if self.requests == self._mostRequests:
                self.endWith(b"", f"{counted(self.requests, 'request')} answered")
                return

    def inputEnded(self) -> None:
        self.close("closed in the middle of a request" if self._reader.pending else "closed by the peer")

    @property
    def busy(self) -> bool:
        return self._reader.pending

    def summary(self) -> str:
        malformed = f" ({self.errors} malformed)" if self.errors else ""
        return f"{counted(self.requests, 'request')}{malformed}, {super().summary()}"


class CalculatorFactory(LingeringFactory):
    """
    A calculator over a stream.

    @param clock: the reactor, or a C{Clock} in a test.
    @param dialect: how to calculate.
    @param requestsPerConnection: close a connection after so many replies; 0 for no such limit.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "calculator"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        dialect: Dialect | None = None,
        *,
        requestsPerConnection: int = 0,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.dialect = dialect or Dialect()
        self.requestsPerConnection = requestsPerConnection

    def build(self) -> CalculatorProtocol:
        return CalculatorProtocol(self.dialect, self.requestsPerConnection)


class CalculatorDatagramProtocol(ServiceDatagramProtocol):
    """
    A calculator over datagrams. One of the wrong size, or with a reply's mark, is dropped and counted.

    @param clock: the reactor, or a C{Clock} in a test.
    @param dialect: how to calculate.
    @param limits: how often, from how many.
    """

    service: ClassVar[str] = "calculator"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        dialect: Dialect | None = None,
        *,
        limits: DatagramLimits | None = None,
    ) -> None:
        super().__init__(clock, limits=limits)
        self.dialect = dialect or Dialect()

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        request = self.dialect.profile.requests.decodeDatagram(datagram)
        if request is None:
            self.drop("no request")
        elif not isinstance(request, EndOfSession):
            self.reply(self.dialect.answerDatagram(request), address)
