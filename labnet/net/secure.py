"""
TLS below a connection: who the peer has to be, who we are, and a layer that keeps the halves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast, runtime_checkable
from typing import Protocol as Interface

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity.exceptions import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, TLSVersion, platformTrust
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.tls import Ended, Failed, Handshaken, Received, TLSEvent, TLSStream

__all__ = [
    "HANDSHAKE",
    "BadCertificate",
    "SecureClientEndpoint",
    "SecureConnection",
    "SecureServerEndpoint",
    "Trust",
    "VerifiedClientEndpoint",
    "serverStreams",
]

#: Seconds that a handshake may take, unless somebody says otherwise.
HANDSHAKE = 10.0

#: Makes the TLS of one connection.
Streams = Callable[[], TLSStream]

# What OpenSSL says of a certificate (man X509_STORE_CTX_get_error), for people.
_VERDICTS = {
    10: "it has expired",
    9: "it is not valid yet",
    18: "it is signed by itself and by nobody we trust",
    19: "its chain ends in a certificate that nobody here trusts",
    20: "nobody we trust has signed it",
    21: "nobody we trust has signed it",
    24: "it is signed by something that may not sign",
    26: "it is not meant for servers",
}


_CUT = "the peer ended its half without TLS's close_notify: what it sent may be cut short"


class BadCertificate(ValueError):
    """A file of certificates or keys that can not be used; the text is one line for people."""


class Trust:
    """
    Whom a client believes that a server is who it says it is.

    @param insecure: anybody.
    @param cafile: who is signed for by those in this file (PEM), and nobody else; else by those in the
        system's list.
    @param protocols: what is spoken above TLS, by ALPN; nothing is said of it when left out.
    @raise BadCertificate: the file can not be used.
    """

    def __init__(
        self, *, insecure: bool = False, cafile: str | None = None, protocols: Sequence[bytes] = ()
    ) -> None:
        self._insecure = insecure
        try:
            trusted = None if insecure or cafile else platformTrust()
            options = CertificateOptions(trustRoot=trusted, raiseMinimumTo=TLSVersion.TLSv1_2)
            self._context = options.getContext()
            if cafile and not insecure:
                self._context.load_verify_locations(cafile)
        except SSL.Error as error:
            raise BadCertificate(f"{cafile!r} holds no certificates in PEM") from error
        if protocols:
            self._context.set_alpn_protos(list(protocols))

    def streams(self, host: str) -> Streams:
        """
        The client's side of TLS. The peer's certificate must be valid, signed by somebody who is trusted,
        and made out to C{host}, a name or an address.
        """
        literal = isIPAddress(host) or isIPv6Address(host)

        def check(connection: SSL.Connection) -> None:
            if self._insecure:
                return
            try:
                (verify_ip_address if literal else verify_hostname)(connection, host)
            except VerificationError as error:
                raise ValueError(f"the certificate is not made out to {host!r}") from error

        def stream() -> TLSStream:
            connection = SSL.Connection(self._context, None)
            verdicts: list[int] = []

            def verified(
                connection: SSL.Connection, certificate: X509, code: int, depth: int, ok: int
            ) -> bool:
                if not ok:
                    verdicts.append(code)
                return bool(ok)

            connection.set_connect_state()
            if not literal:
                connection.set_tlsext_host_name(host.encode("idna"))
            connection.set_verify(SSL.VERIFY_NONE if self._insecure else SSL.VERIFY_PEER, verified)
            return TLSStream(connection, check, lambda: _verdict(verdicts))

        return stream


def _verdict(codes: list[int]) -> str | None:
    if not codes:
        return None
    why = _VERDICTS.get(codes[0], f"OpenSSL's error {codes[0]}")
    return f"the certificate is not to be trusted: {why}"


def serverStreams(certificate: str | None = None, key: str | None = None) -> tuple[Streams, str]:
    """
    The server's side, and the SHA-256 fingerprint of its certificate.

    @param certificate: a file (PEM) with the certificate, and whatever stands between it and its root.
        Left out, a certificate for this machine alone is made, signed by itself, good for a day.
    @param key: the file with its private key; the same file when left out.
    @raise BadCertificate: the files can not be used.
    """
    context = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()
    try:
        if certificate is None:
            made, private = _selfSigned()
            context.use_certificate(made)
            context.use_privatekey(private)
        else:
            context.use_certificate_chain_file(certificate)
            context.use_privatekey_file(key or certificate)
        context.check_privatekey()
    except SSL.Error as error:
        raise BadCertificate(
            f"{certificate!r} and {key or certificate!r} hold no certificate with its key in PEM"
        ) from error
    context.set_options(SSL.OP_NO_RENEGOTIATION)

    def stream() -> TLSStream:
        connection = SSL.Connection(context, None)
        connection.set_accept_state()
        return TLSStream(connection)

    own = SSL.Connection(context, None).get_certificate()
    assert own is not None
    return stream, own.digest("sha256").decode("ascii")


def _selfSigned() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    here = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


@runtime_checkable
class HandshakeListener(Interface):
    """
    A protocol that wants to know. It is not Twisted's C{IHandshakeListener}: who provides that and
    C{IHalfCloseableProtocol} as well has its halves forgotten by Twisted's client endpoints.
    """

    def handshakeCompleted(self) -> None:
        """Both sides agree, and we on who the peer is."""


@implementer(IHalfCloseableProtocol)
class SecureConnection(ProtocolWrapper):
    """
    The layer between a connection and its protocol. To the protocol it is a transport with halves, as TCP
    is; when the handshake is complete it tells its L{HandshakeListener}.

    @ivar agreement: what the handshake came to, once it is complete.
    @ivar cut: whether the peer ended its half without C{close_notify}. We may still send; in the end the
        protocol is told.
    """

    factory: SecureFactory
    transport: Transport

    def __init__(self, factory: SecureFactory, wrappedProtocol: IProtocol) -> None:
        super().__init__(factory, wrappedProtocol)  # type: ignore[arg-type]
        self._stream = factory.streams()
        self._timer: IDelayedCall | None = None
        self._problem: Failure | None = None
        self.agreement: Handshaken | None = None
        self.cut = False

    # What the connection below does.

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(transport)  # type: ignore[no-untyped-call]
        self._timer = self.factory.clock.callLater(self.factory.handshake, self._tooSlow)
        self._handle(self._stream.start())

    def dataReceived(self, data: bytes) -> None:
        self._handle(self._stream.received(data))

    def readConnectionLost(self) -> None:
        self._handle(self._stream.inputEnded())

    def writeConnectionLost(self) -> None:
        """Never: the connection below is not ended by halves."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stopTimer()
        super().connectionLost(self._problem or reason)  # type: ignore[no-untyped-call]

    # What the protocol above does.

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._flush()

    def writeSequence(self, data: list[bytes]) -> None:
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """End our half: the peer's goes on."""
        self._stream.end()
        self._flush()
        half = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if half is not None:
            half.writeConnectionLost()

    def loseConnection(self) -> None:
        self._stream.end()
        self._flush()
        super().loseConnection()  # type: ignore[no-untyped-call]

    # In between.

    def _handle(self, events: list[TLSEvent]) -> None:
        self._flush()
        for event in events:
            if self.wrappedProtocol is None:
                return
            match event:
                case Handshaken():
                    self.agreement = event
                    self._stopTimer()
                    if isinstance(self.wrappedProtocol, HandshakeListener):
                        self.wrappedProtocol.handshakeCompleted()
                case Received(data):
                    self.wrappedProtocol.dataReceived(data)
                case Ended(cut):
                    self.cut = cut
                    if cut:
                        self._problem = Failure(ClientError(_CUT, ExitStatus.RESET))
                    self._inputEnded()
                case Failed(sentence):
                    self._fail(ClientError(sentence, self._statusOf()))

    def _inputEnded(self) -> None:
        half = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if half is not None:
            half.readConnectionLost()
        else:
            self.loseConnection()

    def _statusOf(self) -> ExitStatus:
        return ExitStatus.NOT_UNDERSTOOD if self.agreement is None else ExitStatus.RESET

    def _fail(self, problem: ClientError) -> None:
        if self._problem is None:
            self._stopTimer()
            self._problem = Failure(problem)
            # The alert that says why is on its way; a producer would keep the connection open.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _flush(self) -> None:
        output = self._stream.output()
        if output:
            self.transport.write(output)

    def _tooSlow(self) -> None:
        self._timer = None
        self._fail(ClientError(f"no TLS handshake in {self.factory.handshake:g} s", ExitStatus.TIMED_OUT))
        self.transport.abortConnection()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class SecureFactory(WrappingFactory):
    """
    Puts a L{SecureConnection} below each protocol of another factory.

    @param handshake: seconds that a handshake may take.
    """

    noisy = False
    protocol = SecureConnection

    def __init__(
        self, clock: IReactorTime, streams: Streams, wrapped: IProtocolFactory, handshake: float = HANDSHAKE
    ) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.handshake = handshake
        self.clock = clock
        self.streams = streams

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else self.protocol(self, protocol)


@implementer(IStreamClientEndpoint)
class SecureClientEndpoint:
    """Connects to another endpoint, with TLS on top."""

    def __init__(self, clock: IReactorTime, streams: Streams, endpoint: IStreamClientEndpoint) -> None:
        self._clock = clock
        self._streams = streams
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect. The handshake is still to come when this fires, with the protocol of the factory."""
        factory = SecureFactory(self._clock, self._streams, protocolFactory)
        connecting = cast("Deferred[SecureConnection]", self._endpoint.connect(factory))
        return connecting.addCallback(lambda secure: secure.wrappedProtocol)


class _Handshaking(Protocol):
    """Stands in the place of a protocol until the peer is known to be who it should be."""

    transport: Any  # The SecureConnection below.

    def __init__(self, factory: IProtocolFactory, verified: Deferred[IProtocol]) -> None:
        self._factory = factory
        self._verified = verified

    def handshakeCompleted(self) -> None:
        if self._verified.called:
            return
        protocol = self._factory.buildProtocol(self.transport.getPeer())
        if protocol is None:
            self.transport.abortConnection()
            return
        self.transport.wrappedProtocol = protocol
        protocol.makeConnection(self.transport)
        self._verified.callback(protocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._verified.called:
            self._verified.errback(reason)


class _HandshakingFactory(Factory):  # type: ignore[type-arg, unused-ignore]
    """Builds the one L{_Handshaking} of a connection."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, verified: Deferred[IProtocol]) -> None:
        self._factory = factory
        self._verified = verified

    def buildProtocol(self, addr: IAddress | None) -> _Handshaking:
        return _Handshaking(self._factory, self._verified)


@implementer(IStreamClientEndpoint)
class VerifiedClientEndpoint:
    """
    Connects to another endpoint, with TLS on top, for a protocol that begins after the handshake.

    @param handshake: seconds that may take.
    """

    def __init__(
        self,
        clock: IReactorTime,
        streams: Streams,
        endpoint: IStreamClientEndpoint,
        handshake: float = HANDSHAKE,
    ) -> None:
        self._handshake = handshake
        self._clock = clock
        self._streams = streams
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fires with the protocol of the factory once the handshake is complete; fails as the
            endpoint fails, or with a C{ClientError} that says why the peer is not to be trusted.
        """
        connections: list[SecureConnection] = []

        def cancel(verified: Deferred[IProtocol]) -> None:
            connecting.cancel()
            for connection in connections:
                connection.abortConnection()

        def connected(connection: SecureConnection) -> None:
            connections.append(connection)

        verified: Deferred[IProtocol] = Deferred(cancel)
        handshaking = _HandshakingFactory(protocolFactory, verified)
        factory = SecureFactory(self._clock, self._streams, handshaking, self._handshake)
        connecting = cast("Deferred[SecureConnection]", self._endpoint.connect(factory))
        connecting.addCallbacks(connected, verified.errback)
        return verified


@implementer(IStreamServerEndpoint)
class SecureServerEndpoint:
    """Listens on another endpoint, with TLS on top."""

    def __init__(self, clock: IReactorTime, streams: Streams, endpoint: IStreamServerEndpoint) -> None:
        self._clock = clock
        self._streams = streams
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        return self._endpoint.listen(SecureFactory(self._clock, self._streams, protocolFactory))
