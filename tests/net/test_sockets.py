"""
TCP options on real sockets, and descriptors.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvides

from labnet.net.sockets import SocketOptions, raiseDescriptorLimit


class Transport:
    """A TCP transport as far as options go, around a real socket that is not connected."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        directlyProvides(self, ITCPTransport)

    def getHandle(self) -> socket.socket:
        return self.sock

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)


class Wrapper:
    """What wraps a transport and hides its socket, as TLS does."""

    def __init__(self, transport: object) -> None:
        self.transport = transport


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


def options(sock: socket.socket) -> tuple[bool, bool]:
    return (
        bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)),
        bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)),
    )


def test_theDefaults(sock: socket.socket) -> None:
    SocketOptions().apply(Transport(sock))
    assert options(sock) == (True, True)


def test_off(sock: socket.socket) -> None:
    SocketOptions(noDelay=False, keepAlive=False).apply(Transport(sock))
    assert options(sock) == (False, False)


@pytest.mark.parametrize("wrapped", [False, True])
def test_buffers(sock: socket.socket, wrapped: bool) -> None:
    """The kernel doubles what it is given. They are set below whatever wraps the socket, too."""
    transport = Wrapper(Transport(sock)) if wrapped else Transport(sock)
    SocketOptions(sendBuffer=10_000, receiveBuffer=20_000).apply(transport)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (10_000, 20_000)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) in (20_000, 40_000)


def test_aTransportWithoutASocket() -> None:
    SocketOptions(sendBuffer=10_000).apply(StringTransport())
    SocketOptions(sendBuffer=10_000).apply(Wrapper(Wrapper(None)))


def test_theLimitOfDescriptors() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert raiseDescriptorLimit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_patience(sock: socket.socket) -> None:
    """
    A peer that has vanished is found out within so many seconds, whether something is on its way to it or
    not; a socket that is none of TCP is left alone.
    """
    SocketOptions(patience=90).apply(Transport(sock))

    def value(name: str) -> int:
        return sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))

    assert value("TCP_KEEPIDLE") + value("TCP_KEEPINTVL") * value("TCP_KEEPCNT") == 90
    assert value("TCP_USER_TIMEOUT") == 90_000
    SocketOptions(patience=1).apply(Transport(sock))
    assert value("TCP_KEEPIDLE") == 1
    with socket.socket(socket.AF_UNIX) as other:
        SocketOptions(noDelay=False, keepAlive=False, patience=90).apply(Transport(other))
