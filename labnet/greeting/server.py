"""
The greeting server.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from labnet.greeting.wire import GREETING
from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.sockets import SocketOptions

__all__ = ["GreetingFactory", "GreetingProtocol"]


class GreetingProtocol(LingeringConnection):
    """
    Greets, then closes. What the peer says is not looked at.

    @param greeting: the text.
    """

    def __init__(self, greeting: bytes) -> None:
        super().__init__()
        self._greeting = greeting

    def started(self) -> None:
        self.endWith(self._greeting, "greeted")


class GreetingFactory(LingeringFactory):
    """
    Greets whoever connects.

    @param clock: the reactor, or a C{Clock} in a test.
    @param greeting: the text.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "greeting"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        greeting: bytes = GREETING,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.greeting = greeting

    def build(self) -> GreetingProtocol:
        return GreetingProtocol(self.greeting)
