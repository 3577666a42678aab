"""
Faults between real programs: on a server of ours, in front of somebody's own, and the demonstrations.
"""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest

from labnet.demo.clienttap import DEMONSTRATIONS
from tests.integration.processes import PATIENCE, Twistd, labnet


def connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.settimeout(PATIENCE)
    return client


def pieces(client: socket.socket) -> list[bytes]:
    """What comes until the end, as it comes."""
    received = []
    while piece := client.recv(1024):
        received.append(piece)
    return received


def datagrams(port: int) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


def test_aServerOfOursThatBreaksItsNetwork(tmp_path: Path) -> None:
    """Pieces, halves, resets and lost datagrams, and a line in the log that does it again."""
    line = "tcp out: cut/300ms@3; on=#2 reset@5; udp in: drop=#2"
    with Twistd(
        tmp_path, "labnet-echo", "--listen", "raw=tcp:0", "--listen", "raw=udp:0", "--faults", line
    ) as echo:
        assert echo.waitFor(r"echo: faults seed=\d+; tcp out: cut/300ms@3")
        port = echo.port("echo (raw)")
        with connected(port) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert pieces(client) == [b"hel", b"lo"]
        with connected(port) as client:
            client.sendall(b"hello hello")
            with pytest.raises(ConnectionResetError):
                pieces(client)
        with datagrams(echo.port("echo (raw)", "udp")) as client:
            answers = []
            for word in (b"one", b"two", b"three"):
                client.send(word)
                if word != b"two":
                    answers.append(client.recv(1024))
            assert answers == [b"one", b"three"]
        assert echo.waitFor(r"echo #\d+: faults seed=\d+/1; .*\(out: cut 1\)")
        assert echo.waitFor(r"echo #\d+: faults seed=\d+/2; .*\(in: reset 1")


def test_theRelayInFrontOfSomebodysServer(tmp_path: Path) -> None:
    """Plain programs on both sides; what they say is whole after all."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[list[bytes]] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            heard.append(pieces(connection))
            connection.sendall(b"answer")

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    to = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    faults = "in: cut=4/300ms; out: merge=100/50ms"
    with Twistd(tmp_path, "labnet-relay", "--listen", "tcp:0", "--to", to, "--faults", faults) as relay:
        with connected(relay.port("relay")) as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            assert pieces(client) == [b"answer"]
        server.join(PATIENCE)
    listener.close()
    assert heard == [[b"ques", b"tion"]]


def test_theRelayInFrontOfSomebodysDatagrams(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        to = f"udp:127.0.0.1:{server.getsockname()[1]}"
        faults = "in: drop=#2 duplicate=#3"
        with (
            Twistd(tmp_path, "labnet-relay", "--listen", "udp:0", "--to", to, "--faults", faults) as relay,
            datagrams(relay.port("relay", "udp")) as client,
        ):
            for word in (b"one", b"two", b"three"):
                client.send(word)
            assert [server.recv(1024) for _ in range(3)] == [b"one", b"three", b"three"]


def test_everyDemonstrationShows() -> None:
    """Each has a program that fails, and cures that never do: that is what the exit status says."""
    ended = labnet("demo", "all", "--tries", "3")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+) failed", ended.stdout)]
    assert len(counts) >= 3 * len(DEMONSTRATIONS)
    assert all(tries == 3 for _, tries in counts)
    assert "cuts a piece into" in ended.stdout
