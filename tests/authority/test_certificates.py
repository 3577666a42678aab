"""
Certificates as a second opinion sees them: the verifier of C{cryptography}, which knows nothing of ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from labnet.authority.certificates import (
    LAB,
    Authority,
    AuthorityExpired,
    NotPermitted,
    Permitted,
    makeAuthority,
    makeKey,
)
from labnet.net.hosts import BadHost

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return makeAuthority(NOW, timedelta(days=365))


def issued(authority: Authority, *names: str, now: datetime = NOW) -> x509.Certificate:
    return authority.issue(names, makeKey().public_key(), now, WEEK)


def verified(authority: Authority, certificate: x509.Certificate, host: str, when: datetime = NOW) -> None:
    """Raises what the verifier raises."""
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    store = Store([authority.certificate])
    PolicyBuilder().store(store).time(when).build_server_verifier(subject).verify(certificate, [])


@pytest.mark.parametrize(
    "host", ["localhost", "a.b.example.com", "www.test", "127.0.0.1", "10.1.2.3", "::1", "fd00::1"]
)
def test_whatIsIssuedIsValid(authority: Authority, host: str) -> None:
    verified(authority, issued(authority, host), host)


def test_severalNames(authority: Authority) -> None:
    certificate = issued(authority, "localhost", "127.0.0.1", "*.lab.test")
    for host in ("localhost", "127.0.0.1", "www.lab.test"):
        verified(authority, certificate, host)


def test_forNobodyElse(authority: Authority) -> None:
    with pytest.raises(VerificationError):
        verified(authority, issued(authority, "a.example.com"), "b.example.com")


def test_byNobodyElse(authority: Authority) -> None:
    stranger = makeAuthority(NOW, timedelta(days=365))
    with pytest.raises(VerificationError):
        verified(authority, issued(stranger, "localhost"), "localhost")


def test_holdsForAWeek(authority: Authority) -> None:
    """From an hour ago, for clocks differ."""
    certificate = issued(authority, "localhost", now=NOW + timedelta(days=1))
    start = NOW + timedelta(days=1)
    verified(authority, certificate, "localhost", start - timedelta(minutes=59))
    verified(authority, certificate, "localhost", start + WEEK - timedelta(seconds=1))
    for when in (start - timedelta(minutes=61), start + WEEK + timedelta(seconds=1)):
        with pytest.raises(VerificationError):
            verified(authority, certificate, "localhost", when)


def test_nothingOutlivesTheAuthority() -> None:
    authority = makeAuthority(NOW, timedelta(days=3))
    assert issued(authority, "localhost").not_valid_after_utc == authority.certificate.not_valid_after_utc
    with pytest.raises(AuthorityExpired, match="has expired on 2026-11-23"):
        issued(authority, "localhost", now=NOW + timedelta(days=3))


def test_itDoesNotSignWhatItMayNot(authority: Authority) -> None:
    for name in ("www.bank.org", "notexample.com", "8.8.8.8", "*.org", "2001:db8::1"):
        with pytest.raises(NotPermitted, match="may not sign for"):
            issued(authority, name)


def test_andNobodyBelievesItIfItDid(authority: Authority) -> None:
    """The limit is in what clients trust, and not only in our code: a stolen key is bound by it, too."""
    thief = Authority(makeAuthority(NOW, WEEK, None).certificate, authority.key)
    certificate = thief.issue(["www.bank.org"], makeKey().public_key(), NOW, WEEK)
    renamed = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(authority.certificate.subject)
        .public_key(certificate.public_key())
        .serial_number(certificate.serial_number)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    for extension in certificate.extensions:
        renamed = renamed.add_extension(extension.value, extension.critical)
    hash_ = certificate.signature_hash_algorithm
    forged = renamed.sign(authority.key, hash_)  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        verified(authority, forged, "www.bank.org")


def test_anAuthorityForEverything() -> None:
    authority = makeAuthority(NOW, WEEK, None)
    assert authority.permitted is None
    verified(authority, issued(authority, "www.bank.org"), "www.bank.org")


def test_anAuthorityForMore() -> None:
    wanted = LAB + Permitted.read(["bank.org", "192.0.2.0/24", "203.0.113.7"])
    authority = makeAuthority(NOW, WEEK, wanted)
    assert authority.permitted == wanted
    for host in ("www.bank.org", "bank.org", "192.0.2.9", "203.0.113.7", "localhost"):
        verified(authority, issued(authority, host), host)


def test_whatIsPermittedAsPeopleWriteIt() -> None:
    permitted = Permitted.read([".Bank.ORG", "bücher.example", "10.0.0.0/8", "::1"])
    assert str(permitted) == "bank.org, xn--bcher-kva.example, 10.0.0.0/8, ::1/128"
    with pytest.raises(BadHost, match="'a b' is neither"):
        Permitted.read(["a b"])


def test_itIsAnAuthorityAndNothingElse(authority: Authority) -> None:
    extensions = authority.certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert extensions.get_extension_for_class(x509.NameConstraints).critical
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    with pytest.raises(VerificationError):
        verified(authority, authority.certificate, "localhost")


def test_aServersCertificateSignsNothing(authority: Authority) -> None:
    key = makeKey()
    server = authority.issue(["localhost"], key.public_key(), NOW, WEEK)
    below = Authority(server, key)
    certificate = below.issue(["localhost"], makeKey().public_key(), NOW, WEEK)
    policy = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    verifier = policy.build_server_verifier(x509.DNSName("localhost"))
    with pytest.raises(VerificationError):
        verifier.verify(certificate, [server])


def test_theKeyIsAnEllipticOneOf256Bits(authority: Authority) -> None:
    key = issued(authority, "localhost").public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_aNameTooLongForASubject(authority: Authority) -> None:
    name = ".".join(["a" * 60, "b" * 60, "example"])
    certificate = issued(authority, name)
    assert certificate.subject.rfc4514_string() == "CN=labnet server"
    verified(authority, certificate, name)


def test_noTwoAuthoritiesAreCalledTheSame(authority: Authority) -> None:
    """A list of trusted authorities tells them apart."""
    assert makeAuthority(NOW, WEEK).name != authority.name
    assert len(authority.fingerprint) == 95
