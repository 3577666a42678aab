"""
The TCP options the course talks about, and the process's descriptors.
"""

from __future__ import annotations

import resource
import socket
from dataclasses import dataclass

from twisted.internet.interfaces import ITCPTransport

__all__ = ["SocketOptions", "raiseDescriptorLimit"]


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """
    What is set on every connection. The address is always reused (C{SO_REUSEADDR}): Twisted does so.

    @ivar noDelay: C{TCP_NODELAY}, send small segments at once.
    @ivar keepAlive: C{SO_KEEPALIVE}, notice a peer that vanished.
    @ivar sendBuffer: C{SO_SNDBUF} in bytes; 0 leaves it to the system.
    @ivar receiveBuffer: C{SO_RCVBUF} in bytes; 0 leaves it to the system.
    """

    noDelay: bool = True
    keepAlive: bool = True
    sendBuffer: int = 0
    receiveBuffer: int = 0

    def apply(self, transport: object) -> None:
        """Set them, as far as this transport has them: a UNIX socket has no C{TCP_NODELAY}."""
        if ITCPTransport.providedBy(transport):
            if self.noDelay:
                transport.setTcpNoDelay(True)
            if self.keepAlive:
                transport.setTcpKeepAlive(True)
        if not (self.sendBuffer or self.receiveBuffer):
            return
        handle = _socketOf(transport)
        if handle is not None:
            # The system cuts what is above its own limit.
            if self.sendBuffer:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.sendBuffer)
            if self.receiveBuffer:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receiveBuffer)


def _socketOf(transport: object) -> socket.socket | None:
    """The socket below a transport and whatever wraps it (TLS, PROXY protocol)."""
    for _ in range(8):
        getHandle = getattr(transport, "getHandle", None)
        handle = getHandle() if getHandle is not None else None
        if isinstance(handle, socket.socket):
            return handle
        transport = getattr(transport, "transport", None)
        if transport is None:
            break
    return None


def raiseDescriptorLimit() -> int:
    """
    Raise this process's soft limit on open files to its hard limit, and return it: one connection is
    one descriptor, and 1,024 of them are fewer than a class needs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):
            pass
    return soft
