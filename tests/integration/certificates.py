"""
A certificate for the integration tests.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.integration.processes import need


@dataclass(frozen=True)
class Certificate:
    """
    One for C{localhost}, signed by itself.

    @ivar key: the file with its private key.
    @ivar file: the file with itself; also whom to trust.
    """

    key: Path
    file: Path

    def listen(self, description: str = "ssl:0") -> str:
        """A description of where to listen, with TLS."""
        return f"{description}:privateKey={self.key}:certKey={self.file}"

    def connect(self, port: int) -> str:
        """A description of where to connect, for a client that trusts this certificate."""
        return f"tls:localhost:{port}:trustRoots={self.file.parent}"


def certificateIn(directory: Path) -> Certificate:
    """Make one. A directory of its own holds the certificate: Twisted trusts all that is in it."""
    trusted = directory / "trusted"
    trusted.mkdir()
    made = Certificate(directory / "key.pem", trusted / "certificate.pem")
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", made.key, "-out", made.file, "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
