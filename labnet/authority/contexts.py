"""
What a server needs for TLS, for each name that a client asks for: made when it is wanted, kept, and renewed
before its time is over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.x509 import Certificate
from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions, TLSVersion

from labnet.authority.certificates import Authority, makeKey
from labnet.net.agreement import HTTP, choose
from labnet.net.hosts import plainHost
from labnet.net.logs import shown
from labnet.net.tls import TLSStream

__all__ = ["ServerContexts"]


class ServerContexts:
    """
    The server's side of TLS for any name that the authority may sign for.

    All certificates share one key, which lives as long as this object and is never written anywhere. A
    context knows TLS 1.2 and 1.3, and by ALPN nothing but HTTP/1.1; there is no renegotiation. A client
    that names another host (SNI) than the one it was brought to is refused before it sees a certificate.

    @param authority: who signs.
    @param now: what time it is.
    @param most: how many are kept; the one that was not used for longest goes.
    @param lifetime: how long a certificate holds.
    @param renewal: a certificate that holds no longer than this is replaced.
    """

    def __init__(
        self,
        authority: Authority,
        now: Callable[[], datetime],
        *,
        most: int = 256,
        lifetime: timedelta = timedelta(days=7),
        renewal: timedelta = timedelta(days=1),
    ) -> None:
        self.authority = authority
        self._now = now
        self._most = most
        self._lifetime = lifetime
        self._renewal = renewal
        self._key = makeKey()
        self._kept: OrderedDict[str, tuple[SSL.Context, datetime]] = OrderedDict()
        self._none = _emptyContext()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def stream(self, host: str) -> TLSStream:
        """
        TLS for a client that was brought to C{host}.

        @raise ValueError: there is no certificate for it: the name is none, it is not the authority's to
            sign for, or the authority has expired.
        """
        host = plainHost(host)
        connection = SSL.Connection(self._contextFor(host), None)
        asked: list[str] = []
        connection.set_app_data(asked)
        connection.set_accept_state()
        return TLSStream(connection, verdict=lambda: asked[0] if asked else None)

    def _contextFor(self, host: str) -> SSL.Context:
        now = self._now()
        kept = self._kept.get(host)
        if kept is None or now >= kept[1]:
            # Where the authority itself is near its end, there is nothing longer to be had.
            certificate = self.authority.issue([host], self._key.public_key(), now, self._lifetime)
            ends = certificate.not_valid_after_utc
            lastDay = ends >= self.authority.certificate.not_valid_after_utc
            context = self._context(host, certificate)
            kept = self._kept[host] = (context, ends if lastDay else ends - self._renewal)
        self._kept.move_to_end(host)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return kept[0]

    def _context(self, host: str, certificate: Certificate) -> SSL.Context:
        context = _emptyContext()
        context.use_certificate(certificate)
        context.use_privatekey(self._key)
        # A browser that is told to trust this authority's key by its hash has to see it.
        context.add_extra_chain_cert(self.authority.certificate)

        def nameAsked(connection: SSL.Connection) -> None:
            asked = connection.get_servername()
            if asked is not None and asked.lower().removesuffix(b".") != host.encode("ascii"):
                connection.get_app_data().append(f"the client asks for {shown(asked)}, not for {host}")
                connection.set_context(self._none)

        context.set_tlsext_servername_callback(nameAsked)
        return context


def _emptyContext() -> SSL.Context:
    """A context without a certificate: every handshake fails."""
    context = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_alpn_select_callback(_select)
    return context


def _select(connection: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    return choose(HTTP, offered) or SSL.NO_OVERLAPPING_PROTOCOLS
