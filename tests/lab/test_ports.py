"""
Moving a lab to other ports.
"""

from __future__ import annotations

import pytest

from labnet.lab.ports import PortOutOfRange, portOf, shifted, shiftedReference


@pytest.mark.parametrize(
    ("description", "moved"),
    [
        ("tcp:9000", "tcp:9100"),
        ("tcp:port=9000:interface=127.0.0.1", "tcp:port=9100:interface=127.0.0.1"),
        ("udp:9001:interface=\\:\\:1", "udp:9101:interface=\\:\\:1"),
        ("ssl:9000:privateKey=k9000.pem", "ssl:9100:privateKey=k9000.pem"),
        ("haproxy:tcp:9000", "haproxy:tcp:9100"),
        ("net=tcp:9000", "net=tcp:9100"),
        ("ici-text=udp:9000", "ici-text=udp:9100"),
        ("tcp:0", "tcp:0"),
        ("unix:/run/9000", "unix:/run/9000"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ("nonsense", "nonsense"),
    ],
)
def test_listenersMove(description: str, moved: str) -> None:
    """A fixed port moves; a port the system chooses, and what has no port, does not."""
    assert shifted(description, 100) == moved


@pytest.mark.parametrize(
    ("description", "where"),
    [
        ("tcp:9000", ("tcp", 9000)),
        ("net=udp:9001", ("udp", 9001)),
        ("haproxy:ssl:9443:privateKey=k", ("tcp", 9443)),
        ("tcp:0", None),
        ("unix:/x", None),
    ],
)
def test_whereAListenerListens(description: str, where: tuple[str, int] | None) -> None:
    assert portOf(description) == where


@pytest.mark.parametrize(
    ("description", "moved"),
    [
        ("udp:127.0.0.1:9001", "udp:127.0.0.1:9101"),
        ("udp:localhost:9001", "udp:localhost:9101"),
        ("udp:\\:\\:1:9001", "udp:\\:\\:1:9101"),
        ("udp:[::1]:9001", "udp:[::1]:9101"),
        ("tcp:host=127.0.0.1:port=8000:timeout=3", "tcp:host=127.0.0.1:port=8100:timeout=3"),
        ("localhost:8000", "localhost:8100"),
        ("udp:192.0.2.1:9001", "udp:192.0.2.1:9001"),
        ("example.org:8000", "example.org:8000"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_referencesToThisMachineMove(description: str, moved: str) -> None:
    assert shiftedReference(description, 100) == moved


def test_onlyReferencesIntoTheLabMove() -> None:
    """A service of this machine that is none of the lab's stays where it is; so does another transport."""
    lab = frozenset({("udp", 9001)})
    assert shiftedReference("udp:127.0.0.1:9001", 100, lab) == "udp:127.0.0.1:9101"
    assert shiftedReference("udp:127.0.0.1:5353", 100, lab) == "udp:127.0.0.1:5353"
    assert shiftedReference("tcp:127.0.0.1:9001", 100, lab) == "tcp:127.0.0.1:9001"


@pytest.mark.parametrize(("port", "offset"), [(65535, 1), (1, -1), (9000, -9001)])
def test_aPortThatIsNoneIsRefused(port: int, offset: int) -> None:
    with pytest.raises(PortOutOfRange, match=f"moved by {offset} is port {port + offset}"):
        shifted(f"tcp:{port}", offset)
