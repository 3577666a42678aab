"""
A client in an intercepted tunnel: Python's own TLS, without a socket, on a connection of a proxy in memory.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache

from labnet.authority.certificates import Authority, makeAuthority
from labnet.authority.store import pem
from labnet.proxy.interception import InterceptedHosts, Interception
from tests.proxy.world import Side, World

#: When all of it takes place: now, for the client's side reads the calendar itself.
NOW = datetime.now(UTC)


@cache
def labAuthority() -> Authority:
    """The one authority of all these tests; nothing changes it."""
    return makeAuthority(NOW, timedelta(days=30))


def intercepting(*patterns: str, handshake: float = 10.0) -> Interception:
    """Looks into the HTTPS of these hosts."""
    return Interception(InterceptedHosts.read(patterns), labAuthority(), handshake=handshake)


def trusting(authority: Authority | None = None) -> ssl.SSLContext:
    """What a client has that trusts the lab's authority."""
    return ssl.create_default_context(cadata=pem((authority or labAuthority()).certificate).decode("ascii"))


class SecureClient:
    """
    A client that has been given its tunnel and speaks TLS in it.

    @ivar side: its connection, as the proxy's world has it.
    @ivar problem: why its handshake failed.
    """

    def __init__(
        self,
        world: World,
        host: str = "origin.example",
        *,
        connect: str = "",
        context: ssl.SSLContext | None = None,
        size: int = 1 << 20,
    ) -> None:
        self.problem: ssl.SSLError | None = None
        self.side: Side = world.client()
        target = connect or f"{host}:443"
        self.side.says(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
        self.tunnelled = self.side.take()
        self._size = size
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting()).wrap_bio(self._in, self._out, server_hostname=host)
        self._shaken = False

    def shake(self) -> None:
        """Complete the handshake, or fail to."""
        while not self._shaken and self.problem is None:
            try:
                self.tls.do_handshake()
                self._shaken = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                self.problem = error
            sent = self._send()
            if not self._receive() and not sent:
                break

    def says(self, data: bytes) -> None:
        """Send something through TLS."""
        self.tls.write(data)
        self._send()

    def take(self) -> bytes:
        """What has come through TLS since the last time."""
        self._receive()
        pieces = []
        try:
            while piece := self.tls.read(65_536):
                pieces.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(pieces)

    @property
    def ended(self) -> bool:
        """Whether the proxy has said that there is no more (close_notify)."""
        self._receive()
        try:
            return self.tls.read(1) == b""
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True

    def finish(self) -> None:
        """Say that there is no more."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            self._send()

    def _send(self) -> bool:
        data = self._out.read()
        for at in range(0, len(data), self._size):
            if self.side.closed or self.side.aborted:
                break
            self.side.says(data[at : at + self._size])
        return bool(data)

    def _receive(self) -> bool:
        data = self.side.transport.value()
        self.side.transport.clear()
        self._in.write(data)
        return bool(data)
