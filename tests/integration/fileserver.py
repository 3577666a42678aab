"""
A file server as a real process, and what the tests do with it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.processes import (
    Twistd,
    labnet,
)

LISTEN = [word for kind in ("course", "framed", "http") for word in ("--listen", f"{kind}=tcp:0")]


def port(server: Twistd, kind: str) -> int:
    """Where C{course}, C{framed} or C{http} is spoken."""
    return server.port(f"files ({kind})")


def client(server: Twistd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Our client, run to its end."""
    return labnet("files", "--connect", f"tcp:127.0.0.1:{port(server, 'framed')}", *arguments)


def leftovers(folder: Path) -> list[str]:
    """The names of everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


def passwordFile(directory: Path) -> Path:
    """A file that says that joe, whose password is secret, may write."""
    line = labnet("files", "password", "joe", "--password-from", "-", stdin="secret\n").stdout
    path = directory / "passwords"
    path.write_text(f"# who may write\n{line}")
    return path
