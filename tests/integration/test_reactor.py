"""
The reactor with the shorter way, as C{twistd --reactor labnet}.
"""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Running


def test_itIsListed() -> None:
    """twistd knows it."""
    command = [str(BIN / "twistd"), "--help-reactors"]
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE)
    assert "labnet" in result.stdout


@pytest.mark.parametrize("reactor", ["labnet", "epoll", "poll", "select"])
def test_aServiceRunsInIt(tmp_path: Path, reactor: str) -> None:
    """A calculator answers over TCP and UDP, and ends cleanly, as in every other reactor."""
    command = [str(BIN / "twistd"), "-n", "--pidfile=", "--reactor", reactor, "labnet-calculator"]
    request = struct.pack("<ii1s", 12, 34, b"+")
    with Running([*command, "--listen", "tcp:0", "--listen", "udp:0"], cwd=tmp_path) as running:
        tcp = int(running.waitFor(r"listens on tcp:.*:(\d+)$")[1])
        udp = int(running.waitFor(r"listens on udp:.*:(\d+)$")[1])
        with socket.create_connection(("127.0.0.1", tcp), PATIENCE) as client:
            client.sendall(request)
            assert struct.unpack("<ii1s", client.recv(9)) == (46, 0, b"R")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.sendto(request, ("127.0.0.1", udp))
            assert struct.unpack("<ii1s", client.recv(9)) == (46, 0, b"R")
        running.waitFor("closed by the peer")
    assert "Traceback" not in running.text
