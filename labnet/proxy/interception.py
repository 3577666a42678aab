"""
Looking into HTTPS, for the hosts for which somebody has asked for it: which they are, and the TLS with a
client that believes to be alone with one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol as Interface

from labnet.authority.certificates import Authority
from labnet.authority.contexts import ServerContexts
from labnet.net.hosts import BadHost, HostPatterns, plainHost
from labnet.net.tls import Ended, Failed, Handshaken, Received, TLSEvent, TLSStream
from labnet.proxy.target import Origin
from labnet.proxy.wire import BadMessage

__all__ = ["InterceptedHosts", "InterceptedTunnel", "Interception", "TunnelEnd"]

#: What every TLS connection begins with: a record of the kind "handshake" (RFC 8446, 5.1).
_HANDSHAKE_RECORD = 22

#: What clients say that do not trust whoever signed (RFC 8446, 6.2).
_DISTRUST = ("alert unknown ca", "alert certificate unknown", "alert bad certificate")


class InterceptedHosts(HostPatterns):
    """For which hosts it is."""

    __slots__ = ()

    def forbidden(self, authority: Authority) -> list[str]:
        """Those for which the authority may not sign."""
        return sorted(host for host in self.hosts | self.domains if not authority.permits(host))


class TunnelEnd(Interface):
    """The client's connection, as what goes on in its tunnel needs it."""

    def sendSealed(self, data: bytes) -> None:
        """Send bytes of TLS to the client."""

    def requestsReceived(self, data: bytes) -> None:
        """A piece of the client's requests has come."""

    def requestsEnded(self) -> None:
        """The client sends no more."""

    def close(self, outcome: str = "") -> None:
        """End the connection once everything written has been sent."""


class InterceptedTunnel:
    """
    TLS with one client inside its tunnel.

    @param client: its connection.
    @param origin: where the tunnel leads, spoken to over TLS.
    @param stream: our side of TLS.
    @param now: what time it is, by the clock that measures the handshake.
    @ivar handshakeSince: when the tunnel was opened; L{None} once the handshake is complete.
    """

    def __init__(self, client: TunnelEnd, origin: Origin, stream: TLSStream, now: float) -> None:
        self.origin = origin
        self.handshakeSince: float | None = now
        self._client = client
        self._stream = stream
        self._begun = False

    def received(self, data: bytes) -> None:
        """Bytes of TLS have come from the client."""
        if not self._begun and data[0] != _HANDSHAKE_RECORD:
            self._client.close(self._told("what comes from the client is not TLS"))
            return
        self._begun = True
        self._handle(self._stream.received(data))

    def inputEnded(self) -> None:
        """The connection below has ended in this direction."""
        self._handle(self._stream.inputEnded())

    def write(self, data: bytes) -> None:
        """Send a piece of an answer."""
        self._stream.write(data)
        self._flush()

    def end(self) -> None:
        """Tell the client that there is no more."""
        self._stream.end()
        self._flush()

    def url(self, target: bytes) -> bytes:
        """A request-target as a whole URL, for the log."""
        return b"https://" + self.origin.authority + target if target.startswith(b"/") else target

    def _handle(self, events: list[TLSEvent]) -> None:
        self._flush()
        for event in events:
            match event:
                case Handshaken():
                    self.handshakeSince = None
                case Received(data):
                    self._client.requestsReceived(data)
                case Ended():
                    self._client.requestsEnded()
                case Failed(sentence):
                    self._client.close(self._told(sentence))

    def _flush(self) -> None:
        output = self._stream.output()
        if output:
            self._client.sendSealed(output)

    def _told(self, sentence: str) -> str:
        hint = ""
        if any(alert in sentence for alert in _DISTRUST):
            hint = "; the client does not trust the lab's authority, see 'labnet ca show'"
        return f"intercepted {self.origin}: {sentence}{hint}"


class Interception:
    """
    What a proxy needs to look into HTTPS.

    @param hosts: for which hosts.
    @param authority: signs the certificates that clients are shown.
    @param now: what time it is, by the calendar.
    @param handshake: seconds that a client's handshake may take; 0 for no limit.
    """

    def __init__(
        self,
        hosts: InterceptedHosts,
        authority: Authority,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        handshake: float = 10.0,
    ) -> None:
        self.handshake = handshake
        self._hosts = hosts
        self._contexts = ServerContexts(authority, now)

    def origin(self, tunnel: Origin) -> Origin | None:
        """
        The origin to speak TLS with in place of the client, or L{None} where its tunnel is its own.

        @raise BadMessage: the host is written in a way that some resolvers take for an address.
        """
        try:
            host = plainHost(tunnel.host)
        except BadHost as error:
            raise BadMessage(str(error)) from error
        return Origin(host, tunnel.port, secure=True) if self._hosts.cover(host) else None

    def open(self, client: TunnelEnd, origin: Origin, now: float) -> InterceptedTunnel:
        """
        Begin TLS with a client.

        @param origin: as L{Interception.origin} gave it.
        @param now: what time it is, by the clock that measures the handshake.
        @raise ValueError: there is no certificate for it; the text is one line for people.
        """
        return InterceptedTunnel(client, origin, self._contexts.stream(origin.host), now)
