"""
The files of an authority and of the certificates it has signed, in PEM. Private keys can be read by their
owner alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from labnet.authority.certificates import Authority

__all__ = [
    "CERTIFICATE",
    "DEFAULT_FOLDER",
    "KEY",
    "StoreError",
    "loadAuthority",
    "pem",
    "saveAuthority",
    "saveIssued",
]

#: Where an authority lies when nobody says otherwise; C{~} is the user's home.
DEFAULT_FOLDER = "~/.labnet/ca"
CERTIFICATE = "ca.pem"
KEY = "ca.key"


class StoreError(Exception):
    """A file can not be read, written or used; the text is one line for people."""


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as text, one after the other."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def saveAuthority(folder: Path, authority: Authority, *, force: bool = False) -> None:
    """
    Write an authority into its folder, which is made if it is not there.

    @param force: in place of one that is there.
    @raise StoreError: there is one, or the folder can not be written.
    """
    _saveBoth(folder / CERTIFICATE, folder / KEY, (authority.certificate,), authority.key, force)


def saveIssued(
    folder: Path,
    name: str,
    chain: Sequence[x509.Certificate],
    key: ec.EllipticCurvePrivateKey,
    *,
    force: bool = False,
) -> tuple[Path, Path]:
    """
    Write a server's certificate, with what follows it in its chain, and its key.

    @param name: whose it is; the files are called after it.
    @return: both files.
    @raise StoreError: one of them is there already, or they can not be written.
    """
    stem = name.replace("*", "_").replace(":", "-")
    certificateFile, keyFile = folder / f"{stem}.pem", folder / f"{stem}.key"
    _saveBoth(certificateFile, keyFile, chain, key, force)
    return certificateFile, keyFile


def _saveBoth(
    certificateFile: Path,
    keyFile: Path,
    chain: Sequence[x509.Certificate],
    key: ec.EllipticCurvePrivateKey,
    force: bool,
) -> None:
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        certificateFile.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in (certificateFile, keyFile):
            if file.exists() and not force:
                raise StoreError(f"{file} is there already; --force replaces it")
        _write(keyFile, secret, 0o600)
        _write(certificateFile, pem(*chain), 0o644)
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}") from error


def _write(file: Path, data: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all, and never readable by more than it should be."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)
    new.replace(file)


def loadAuthority(folder: Path) -> Authority:
    """
    Read the authority that lies in a folder.

    @raise StoreError: there is none, its files can not be used, or others than its owner can read its key.
    """
    keyFile = folder / KEY
    try:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        secret = keyFile.read_bytes()
        readers = stat.S_IMODE(keyFile.stat().st_mode) & 0o077
    except FileNotFoundError as error:
        raise StoreError(f"there is no authority in {folder}: 'labnet ca' makes one") from error
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise StoreError(f"{folder / CERTIFICATE} holds no certificate in PEM") from error
    if readers:
        raise StoreError(f"{keyFile} can be read by others: chmod 600 it, or make a new authority")
    try:
        key = load_pem_private_key(secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StoreError(f"{keyFile} holds no private key in PEM that can be used as it is") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise StoreError(f"{keyFile} and {folder / CERTIFICATE} do not belong together")
    return Authority(certificate, key)
