"""
The command C{labnet ca}: what it takes, what it writes and what it says.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.authority.certificates import LAB
from labnet.authority.clienttap import Options, run
from labnet.authority.store import loadAuthority
from labnet.net.console import Console
from labnet.net.outcome import ClientError, ExitStatus


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def told(*arguments: str) -> str:
    """What a command says, or the L{ClientError} it ends with."""
    out = io.StringIO()
    results: list[object] = []
    Deferred.fromCoroutine(run(None, parsed(*arguments), Console(out, out))).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    assert results == [ExitStatus.OK]
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(ClientError) as caught:
        told(*arguments)
    assert caught.value.status is ExitStatus.USAGE
    return str(caught.value)


def test_makeAndShowSayTheSame(tmp_path: Path) -> None:
    """The fingerprint, until when and for what it holds, and how to trust it."""
    said = told("--dir", str(tmp_path))
    authority = loadAuthority(tmp_path)
    assert f"SHA-256 {authority.fingerprint}\n" in said
    assert f"may sign for {LAB}\n" in said
    assert f"curl --cacert {tmp_path}/ca.pem" in said
    assert f"--ignore-certificate-errors-spki-list={authority.keyHash}\n" in said
    for program in ("Python requests", "Firefox", "Chromium", "Debian", "macOS", "Windows"):
        assert program in said
    assert told("show", "--dir", str(tmp_path)) == said


def test_twiceIsNotOnceMore(tmp_path: Path) -> None:
    told("--dir", str(tmp_path))
    first = loadAuthority(tmp_path)
    assert "--force replaces it" in refused("make", "--dir", str(tmp_path))
    assert loadAuthority(tmp_path).certificate == first.certificate
    told("make", "--force", "--dir", str(tmp_path))
    assert loadAuthority(tmp_path).certificate != first.certificate


def test_howLongAndForWhat(tmp_path: Path) -> None:
    told("--days", "3", "--permit", "bank.org", "--permit", "192.0.2.0/24", "--dir", str(tmp_path))
    authority = loadAuthority(tmp_path)
    certificate = authority.certificate
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 3
    assert authority.permits("www.bank.org")
    assert authority.permits("192.0.2.1")
    assert not authority.permits("www.bank.net")


def test_forEverything(tmp_path: Path) -> None:
    assert "may sign for every name and address" in told("--permit", "any", "--dir", str(tmp_path))
    assert loadAuthority(tmp_path).permitted is None


def test_issue(tmp_path: Path) -> None:
    told("--dir", str(tmp_path / "ca"))
    said = told("issue", "lab.test", "127.0.0.1", "--dir", str(tmp_path / "ca"), "--out", str(tmp_path))
    assert f"ssl:8443:certKey={tmp_path}/lab.test.pem:privateKey={tmp_path}/lab.test.key\n" in said
    certificate = x509.load_pem_x509_certificate((tmp_path / "lab.test.pem").read_bytes())
    certificate.verify_directly_issued_by(loadAuthority(tmp_path / "ca").certificate)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 90
    again = refused("issue", "lab.test", "--dir", str(tmp_path / "ca"), "--out", str(tmp_path))
    assert "--force replaces it" in again


def test_whatItMayNotIssue(tmp_path: Path) -> None:
    told("--dir", str(tmp_path))
    said = refused("issue", "www.bank.org", "--dir", str(tmp_path), "--out", str(tmp_path))
    assert "may not sign for www.bank.org: 'labnet ca --permit' makes one that may" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.key", "ca.pem"]


def test_whereThereIsNone(tmp_path: Path) -> None:
    for action in (["show"], ["issue", "lab.test"]):
        assert "there is no authority in" in refused(*action, "--dir", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["burn"], "'burn' is none of make, show, issue"),
        (["show", "x"], "show takes no names"),
        (["issue"], "issue: for which NAME?"),
        (["issue", "a b"], "'a b' is neither a host name nor an address"),
        (["issue", "a.*.test"], "'a.*.test' is neither"),
        (["--permit", "a b"], "'a b' is neither"),
        (["--permit", "10.0.0.1/8"], "'10.0.0.1/8' is neither"),
        (["--days", "0"], "--days: '0' is not a whole number from 1 to 3650"),
    ],
)
def test_mistakes(arguments: list[str], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert why in str(caught.value)
