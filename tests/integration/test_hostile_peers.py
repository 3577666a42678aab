"""
What any peer can do to any service over TCP, done to the chat, the file server and the hello web server:
after it the service is there, its descriptors are back, and nobody was told a path or a traceback.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import PATIENCE, Twistd, eventually

RESET = struct.pack("ii", 1, 0)
JUNK = [
    b"\0" * 1_000_000,
    b"\xff" * 1_000_000,
    b"a" * 1_000_000,
    b"\xc0\xaf \xed\xa0\x80 \xe2\x82\n",
    b"GET /" + b"../" * 100_000,
    b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n",
]
SERVICES = {
    "chat": ("plain", "line", "framed", "web"),
    "files": ("course", "framed", "http"),
    "web": ("",),
}


class Service(Twistd):
    """
    One of the three, with every way into it.

    @ivar atFirst: how many descriptors it has when nobody has come yet.
    """

    def __init__(self, directory: Path, name: str) -> None:
        ways = SERVICES[name]
        listen = [f"--listen={way}=tcp:0" if way else "--listen=tcp:0" for way in ways]
        super().__init__(directory, f"labnet-{name}", *listen)
        self.ports = [self.port(f"{name} ({way})" if way else name) for way in ways]
        self.directory = directory
        self.atFirst = self.descriptors

    def connect(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), PATIENCE)

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture(scope="module", params=SERVICES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp(request.param), request.param) as running:
        yield running


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """The same one for all tests: at the end of each nothing of what the peers did is left."""
    yield running
    # A file server opens the folder and its threads' pipes when they are first needed.
    eventually(lambda: running.descriptors <= running.atFirst + 2, "the descriptors come back")
    for port in running.ports:
        running.connect(port).close()
    assert "Traceback" not in running.text


def spoken(peer: socket.socket) -> bytes:
    """Everything that comes until the end, however that comes."""
    told = b""
    try:
        while piece := peer.recv(65_536):
            told += piece
    except ConnectionError:
        pass
    return told


@pytest.mark.parametrize("junk", JUNK, ids=["NULs", "bytes", "letters", "no UTF-8", "a path", "a promise"])
def test_junkAndThenTheEnd(service: Service, junk: bytes) -> None:
    for port in service.ports:
        with service.connect(port) as peer:
            try:
                peer.sendall(junk)
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It has had enough.
            told = spoken(peer)
        assert b"Traceback" not in told
        assert str(service.directory).encode() not in told


def test_aByteAtATimeAndAReset(service: Service) -> None:
    """In the middle of whatever the bytes are to each of them."""
    for port in service.ports:
        for amount in range(12):
            with service.connect(port) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in b"\0\0\0\x08GET / HTTP"[:amount]:
                    peer.sendall(bytes((byte,)))
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_fourHundredResetsAndThreeHundredIdle(service: Service) -> None:
    """Whoever comes meanwhile is served."""
    for port in service.ports:
        for _ in range(400):
            with service.connect(port) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        idle = [service.connect(port) for _ in range(300)]
        eventually(lambda: service.descriptors > 300, "300 are connected")
        with service.connect(port) as peer:
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            peer.shutdown(socket.SHUT_WR)
            spoken(peer)
        for peer in idle:
            peer.close()
        eventually(lambda: service.descriptors < 300, "they are gone")
