"""
The authority and what it signs, by RFC 5280. Everything that is cryptography is done by the package of that
name; what time it is, is given.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labnet.net.hosts import plainHost

__all__ = [
    "LAB",
    "Authority",
    "AuthorityExpired",
    "NotPermitted",
    "Permitted",
    "makeAuthority",
    "makeKey",
]

#: How far the clocks of the lab may differ.
_SKEW = timedelta(hours=1)
#: Characters of a common name (RFC 5280, appendix A.1, ub-common-name).
_LONGEST_COMMON_NAME = 64

_Network = IPv4Network | IPv6Network


class NotPermitted(ValueError):
    """The authority may not sign for that name; the text is one line for people."""


class AuthorityExpired(ValueError):
    """The authority's time is over; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """
    What an authority may sign for, and nothing else (RFC 5280, 4.2.1.10).

    @ivar domains: each with everything below it.
    @ivar networks: of addresses.
    """

    domains: tuple[str, ...]
    networks: tuple[_Network, ...]

    def covers(self, host: str) -> bool:
        """Whether C{host}, as L{plainHost} gives it, is among them."""
        try:
            address = ip_address(host)
        except ValueError:
            return any(host == domain or host.endswith("." + domain) for domain in self.domains)
        return any(address in network for network in self.networks)

    def __str__(self) -> str:
        return ", ".join((*self.domains, *map(str, self.networks)))

    def __add__(self, other: Permitted) -> Permitted:
        domains, networks = self.domains + other.domains, self.networks + other.networks
        return Permitted(tuple(dict.fromkeys(domains)), tuple(dict.fromkeys(networks)))

    @classmethod
    def read(cls, texts: Iterable[str]) -> Permitted:
        """
        From domains, addresses and networks (C{10.0.0.0/8}) as people write them.

        @raise BadHost: one of them is none of these.
        """
        domains: list[str] = []
        networks: list[_Network] = []
        for text in texts:
            try:
                networks.append(ip_network(text))
            except ValueError:
                domains.append(plainHost(text.removeprefix(".")))
        return cls(tuple(domains), tuple(networks))


#: What a lab has: the names that are kept out of the public DNS or set aside for examples (RFC 2606,
#: RFC 6761, RFC 6762, RFC 8375), and the addresses of loopback and of private networks.
LAB = Permitted.read(
    (
        "localhost", "test", "example", "example.com", "example.net", "example.org", "internal", "local",
        "home.arpa", "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
        "169.254.0.0/16", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


def makeKey() -> ec.EllipticCurvePrivateKey:
    """A new private key, on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Authority:
    """
    Who signs.

    @ivar certificate: what clients trust.
    @ivar key: the private key; it signs, and leaves this object only for its file.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def name(self) -> str:
        """What a list of trusted authorities shows."""
        return self.certificate.subject.rfc4514_string().removeprefix("CN=")

    @property
    def permitted(self) -> Permitted | None:
        """What it may sign for; L{None} for everything."""
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            return None
        permitted = found.value.permitted_subtrees or []
        return Permitted(
            tuple(name.value for name in permitted if isinstance(name, x509.DNSName)),
            tuple(
                name.value
                for name in permitted
                if isinstance(name, x509.IPAddress) and isinstance(name.value, (IPv4Network, IPv6Network))
            ),
        )

    def permits(self, host: str) -> bool:
        """Whether it may sign for C{host}, as L{plainHost} gives it."""
        permitted = self.permitted
        return permitted is None or permitted.covers(host)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, by which people compare it."""
        return self.certificate.fingerprint(SHA256()).hex(":").upper()

    @property
    def keyHash(self) -> str:
        """The SHA-256 of the public key in base64, as Chromium takes it."""
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(public).digest()).decode("ascii")

    def issue(
        self, names: Sequence[str], key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
    ) -> x509.Certificate:
        """
        Sign a certificate for a server.

        @param names: what it is for: host names, of which the first label may be C{*}, and addresses.
        @param key: the server's.
        @param lifetime: how long it holds; never longer than the authority itself.
        @raise BadHost: one of the names is none.
        @raise NotPermitted: one of the names is not the authority's to sign for.
        @raise AuthorityExpired: its time is over.
        """
        ends = self.certificate.not_valid_after_utc
        if now >= ends:
            raise AuthorityExpired(f"the authority {self.name!r} has expired on {ends:%Y-%m-%d}")
        alternatives = [self._certified(name) for name in names]
        return (
            x509.CertificateBuilder()
            .subject_name(_named(_commonName(alternatives[0])))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - _SKEW, self.certificate.not_valid_before_utc))
            .not_valid_after(min(now + lifetime, ends))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(_identifierOf(self.key.public_key()), critical=False)
            .sign(self.key, SHA256())
        )

    def _certified(self, name: str) -> x509.DNSName | x509.IPAddress:
        star = "*." if name.startswith("*.") else ""
        host = plainHost(name.removeprefix(star))
        if not self.permits(host):
            raise NotPermitted(
                f"the authority {self.name!r} may not sign for {name}: "
                "'labnet ca --permit' makes one that may"
            )
        try:
            return x509.IPAddress(ip_address(host))
        except ValueError:
            return x509.DNSName(star + host)


def makeAuthority(now: datetime, lifetime: timedelta, permitted: Permitted | None = LAB) -> Authority:
    """
    A new authority with a new key.

    @param lifetime: how long it holds.
    @param permitted: what it may sign for; L{None} for everything.
    """
    key = makeKey()
    name = _named(f"labnet authority {secrets.token_hex(4)}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signing=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(_identifierOf(key.public_key()), critical=False)
    )
    if permitted is not None:
        subtrees = [
            *map(x509.DNSName, permitted.domains),
            *map(x509.IPAddress, permitted.networks),
        ]
        builder = builder.add_extension(x509.NameConstraints(subtrees, None), critical=True)
    return Authority(builder.sign(key, SHA256()), key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _commonName(alternative: x509.DNSName | x509.IPAddress) -> str:
    """
    A name for people: whom a certificate is for is said by the alternatives alone (RFC 9525). An address
    must not stand here, for OpenSSL takes it for a domain, which the authority may not sign for.
    """
    if isinstance(alternative, x509.DNSName) and len(alternative.value) <= _LONGEST_COMMON_NAME:
        return alternative.value
    return "labnet server"


def _identifierOf(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(signing: bool) -> x509.KeyUsage:
    """What a key is for: an authority's signs certificates, a server's proves who it is."""
    return x509.KeyUsage(
        digital_signature=not signing,
        key_cert_sign=signing,
        crl_sign=signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
