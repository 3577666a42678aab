"""
The other side of a server that stands between, a proxy or a relay: where it connects to, in the examiner's
hand.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Datagrams
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.stage import Stage
from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["Origin"]

#: How often it is tried to listen, and the seconds between.
_TRIES, _AGAIN = 40, 0.1


class Origin:
    """
    The origin of one examination. Each scenario listens anew, on the same port: nobody who comes too late
    gets into the next one.

    @param transport: C{"tcp"} or C{"udp"}.
    @param address: where it listens.
    @ivar address: the same.
    """

    def __init__(self, reactor: Any, transport: str, address: tuple[str, int]) -> None:
        self._reactor = reactor
        self._transport = transport
        self.address = address
        self._stage: Stage | None = None
        self._port: Any = None
        self._datagrams: Datagrams | None = None
        self._connections: deque[Connection] = deque()
        self._number = 0

    # From the examination

    async def listen(self, stage: Stage) -> None:
        """
        Listen, for one scenario. A program that is just being started may for a moment still have the
        socket of the last one.

        @raise ClientError: somebody else does, there.
        """
        self._stage, self._number = stage, 0
        self._connections.clear()
        for _ in range(_TRIES):
            try:
                self._bind(stage)
                return
            except CannotListenError as error:
                problem = error
            await stage.sleep(_AGAIN)
        raise ClientError(f"the origin: {problem}", ExitStatus.UNREACHABLE) from problem

    def _bind(self, stage: Stage) -> None:
        host, port = self.address
        if self._transport == "udp":
            self._datagrams = Datagrams(stage)
            self._port = self._reactor.listenUDP(port, self._datagrams, interface=host)
        else:
            factory = Factory.forProtocol(self._build)
            factory.noisy = False
            self._port = self._reactor.listenTCP(port, factory, interface=host)

    async def close(self) -> None:
        """Listen no longer."""
        port, self._port = self._port, None
        if port is not None and self._datagrams is not None:
            await self._datagrams.close()
        elif port is not None:
            await maybeDeferred(port.stopListening)

    def _build(self) -> Connection:
        assert self._stage is not None
        self._number += 1
        connection = Connection(self._stage, f"origin, {self._number}")
        self._connections.append(connection)
        self._stage.changed()
        return connection

    # What a scenario does

    @property
    def authority(self) -> str:
        """Its host and port, as in a URL."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def places(self) -> dict[str, object]:
        """What is put into a command for it: C{{origin}}, C{{origin-host}}, C{{origin-port}}."""
        host, port = self.address
        return {"origin": self.authority, "origin-host": host, "origin-port": port}

    @property
    def datagrams(self) -> Datagrams:
        """Over UDP, the socket that it asks."""
        assert self._datagrams is not None
        return self._datagrams

    def stranger(self) -> Datagrams:
        """Another UDP socket, from which a datagram comes that the server has not asked for."""
        assert self._stage is not None
        other = Datagrams(self._stage, None, 2)
        self._reactor.listenUDP(0, other, interface=self.address[0])
        return other

    async def connects(
        self,
        *,
        holding: bytes = b"",
        words: str = "that it connects to the origin",
        signs: Signs = NO_SIGNS,
    ) -> Connection:
        """
        Over TCP, wait until the server connects.

        @param holding: what must have come on the connection, among several; if it comes on none, it is the
            first of them.
        @raise Failed: it does not.
        """
        assert self._stage is not None
        waiting = self._connections

        def there() -> bool:
            return any(one.transport is not None and holding in one.came for one in waiting)

        await self._stage.until(there)
        if waiting:
            connection = next((one for one in waiting if holding in one.came), waiting[0])
            waiting.remove(connection)
            return connection
        raise Failed(Kind.SILENCE, words, "it did not", None, signs.get(Kind.SILENCE))

    async def leave(self) -> None:
        """Go away: until the end of the scenario nobody listens here."""
        assert self._stage is not None
        self._stage.note("origin", "listens no longer")
        await self.close()
