"""
An authority's files: who can read them, what is not replaced, and what can not be used.
"""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from labnet.authority.certificates import Authority, makeAuthority, makeKey
from labnet.authority.store import StoreError, loadAuthority, saveAuthority, saveIssued

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def made() -> Authority:
    return makeAuthority(NOW, timedelta(days=30))


def modeOf(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whatIsSavedIsLoaded(tmp_path: Path) -> None:
    authority = made()
    folder = tmp_path / "deep" / "ca"
    saveAuthority(folder, authority)
    loaded = loadAuthority(folder)
    assert loaded.certificate == authority.certificate
    assert loaded.key.private_numbers() == authority.key.private_numbers()
    assert modeOf(folder) == 0o700
    assert modeOf(folder / "ca.key") == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem"]


def test_nothingIsReplacedUnlessItIsAskedFor(tmp_path: Path) -> None:
    first, second = made(), made()
    saveAuthority(tmp_path, first)
    with pytest.raises(StoreError, match=r"ca\.pem is there already; --force replaces it"):
        saveAuthority(tmp_path, second)
    assert loadAuthority(tmp_path).certificate == first.certificate
    saveAuthority(tmp_path, second, force=True)
    assert loadAuthority(tmp_path).certificate == second.certificate


def test_aKeyWithoutItsCertificateIsNotReplacedEither(tmp_path: Path) -> None:
    saveAuthority(tmp_path, made())
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(StoreError, match=r"ca\.key is there already"):
        saveAuthority(tmp_path, made())


def test_aReplacedKeyIsNotReadableForOthersEither(tmp_path: Path) -> None:
    saveAuthority(tmp_path, made())
    (tmp_path / "ca.key").chmod(0o644)
    saveAuthority(tmp_path, made(), force=True)
    assert modeOf(tmp_path / "ca.key") == 0o600


def test_theFilesOfAServer(tmp_path: Path) -> None:
    authority, key = made(), makeKey()
    certificate = authority.issue(["*.lab.test"], key.public_key(), NOW, timedelta(days=7))
    files = saveIssued(tmp_path, "*.lab.test", [certificate, authority.certificate], key)
    assert [file.name for file in files] == ["_.lab.test.pem", "_.lab.test.key"]
    assert x509.load_pem_x509_certificates(files[0].read_bytes()) == [certificate, authority.certificate]
    assert modeOf(files[1]) == 0o600


def test_aKeyThatOthersCanReadIsNotUsed(tmp_path: Path) -> None:
    saveAuthority(tmp_path, made())
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(StoreError, match="can be read by others: chmod 600 it"):
        loadAuthority(tmp_path)


def test_anotherKindOfKeyIsNotUsed(tmp_path: Path) -> None:
    saveAuthority(tmp_path, made())
    other = rsa.generate_private_key(65_537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ca.key").write_bytes(pem)
    with pytest.raises(StoreError, match="do not belong together"):
        loadAuthority(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("ca.pem", b"", "holds no certificate in PEM"),
        (
            "ca.pem",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "no certificate in PEM",
        ),
        ("ca.key", b"nothing", "holds no private key in PEM"),
    ],
)
def test_filesThatHoldNothing(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    saveAuthority(tmp_path, made())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StoreError, match=why):
        loadAuthority(tmp_path)


def test_foldersThatAreNone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no authority in .*: 'labnet ca' makes one"):
        loadAuthority(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(b"")
    for use in (lambda: saveAuthority(tmp_path / "file", made()), lambda: loadAuthority(tmp_path / "file")):
        with pytest.raises(StoreError, match=r"file.*: (File exists|Not a directory)"):
            use()
