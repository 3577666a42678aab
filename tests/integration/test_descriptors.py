"""
A server that has no descriptors left, and more clients than it has descriptors.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.integration.processes import BIN, PATIENCE, Running, eventually

LIMIT = 80
CLIENTS = 120


def test_connectionsWaitUntilOthersHaveEnded(tmp_path: Path) -> None:
    """
    The server accepts what it can, tells once, uses no processor while it waits, and serves who waited when
    the others have gone.
    """
    command = f"ulimit -n {LIMIT}; exec {BIN}/twistd -n --pidfile= labnet-echo --listen raw=tcp:0"
    with Running(["sh", "-c", command], cwd=tmp_path) as running:
        port = int(running.waitFor(r"listens on tcp:127.0.0.1:(\d+)$")[1])
        clients = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(CLIENTS)]
        running.waitFor("no descriptors are left: connections wait until others have ended")
        folder = f"/proc/{running.process.pid}/fd"
        assert len(os.listdir(folder)) < LIMIT
        before = processorTime(running.process.pid)
        last = clients.pop()
        last.sendall(b"hello\n")
        last.settimeout(1.0)
        with pytest.raises(TimeoutError):
            last.recv(100)
        assert processorTime(running.process.pid) - before < 0.5
        for client in clients:
            client.close()
        last.settimeout(PATIENCE)
        assert last.recv(100) == b"hello\n"
        last.close()
        eventually(lambda: len(os.listdir(folder)) < LIMIT // 2, "the descriptors came back")
        assert running.text.count("no descriptors are left") == 1
    assert "Traceback" not in running.text


def processorTime(process: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
