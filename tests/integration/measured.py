"""
An origin as a process of its own, and what a proxy before it takes: memory and descriptors.
"""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

from tests.documents import ROOT
from tests.integration.processes import PATIENCE, Running

__all__ = ["Origin", "awake", "descriptors", "peak", "resident"]


class Origin(Running):
    """
    The program L{tests.integration.origin}. When it ends, so do the connections that a proxy keeps for it.

    @param arguments: the files of a certificate (for C{localhost}) and its key, for TLS.
    @ivar host: its address and port.
    @ivar url: the same as a URL.
    """

    def __init__(self, *arguments: str) -> None:
        super().__init__([sys.executable, "-m", "tests.integration.origin", *arguments], cwd=ROOT)
        name = "localhost" if arguments else "127.0.0.1"
        self.host = f"{name}:{self.waitFor(r'origin listens on (?P<port>.+)')['port']}"
        self.url = f"http{'s' if arguments else ''}://{self.host}"


def resident(process: int) -> float:
    """Resident memory in MiB."""
    return _kibibytes(process, "VmRSS") / 1024


def peak(process: int) -> float:
    """The most that its resident memory has been, in MiB."""
    return _kibibytes(process, "VmHWM") / 1024


def _kibibytes(process: int, what: str) -> int:
    match = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert match is not None
    return int(match[1])


def descriptors(process: int) -> int:
    """How many are open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def awake(proxy: Running, port: int) -> None:
    """
    Wait until a proxy has served a first client, who asked for nothing: it logs that it listens before it
    has opened all that it needs for itself.
    """
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
    proxy.waitFor(r"proxy #1 .*: 1 request, ")
