"""
How to make the programs of a lab trust its authority, in words.
"""

from __future__ import annotations

import shlex

__all__ = ["trustAdvice"]

#: What is done, and the command; {file} is the certificate, {key} the hash of its key.
_WAYS = (
    ("curl", "curl --cacert {file} -x http://127.0.0.1:8080 https://..."),
    ("Python requests", "REQUESTS_CA_BUNDLE={file} python3 ..."),
    ("Python ssl, aiohttp, urllib", "SSL_CERT_FILE={file} python3 ..."),
    ("Chromium, one run with a profile of its own",
     "chromium --user-data-dir=lab-profile --proxy-server=127.0.0.1:8080 "
     "--ignore-certificate-errors-spki-list={key}"),
    ("Chromium on Linux, for good", "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n labnet -i {file}"),
    ("Firefox", "Settings, Privacy & Security, View Certificates, Authorities, Import: {file}"),
    ("Debian, Ubuntu",
     "sudo cp {file} /usr/local/share/ca-certificates/labnet.crt && sudo update-ca-certificates"),
    ("Fedora", "sudo trust anchor {file}"),
    ("macOS", "security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {file}"),
    ("Windows", "certutil -user -addstore Root {file}"),
)  # fmt: skip


def trustAdvice(file: str, keyHash: str) -> list[str]:
    """
    The ways, as lines for people.

    @param file: the authority's certificate.
    @param keyHash: the hash of its key, as Chromium takes it.
    """
    lines: list[str] = []
    for what, command in _WAYS:
        lines += [f"  {what}:", "    " + command.format(file=shlex.quote(file), key=keyHash)]
    return lines
