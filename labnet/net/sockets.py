"""
The TCP options the course talks about, and the process's descriptors.
"""

from __future__ import annotations

import resource
import socket
from dataclasses import dataclass

from twisted.internet.interfaces import ITCPTransport

__all__ = ["SocketOptions", "isOwnAddress", "raiseDescriptorLimit"]


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """
    What is set on every connection. The address is always reused (C{SO_REUSEADDR}): Twisted does so.

    @ivar noDelay: C{TCP_NODELAY}, send small segments at once.
    @ivar keepAlive: C{SO_KEEPALIVE}, notice a peer that vanished.
    @ivar patience: seconds after which a peer that vanished is given up, whether there is something to
        send to it or not; 0 leaves it to the system, which takes hours. Needs C{keepAlive}.
    @ivar sendBuffer: C{SO_SNDBUF} in bytes; 0 leaves it to the system.
    @ivar receiveBuffer: C{SO_RCVBUF} in bytes; 0 leaves it to the system.
    """

    noDelay: bool = True
    keepAlive: bool = True
    sendBuffer: int = 0
    receiveBuffer: int = 0
    patience: int = 0

    def apply(self, transport: object) -> None:
        """Set them, as far as this transport has them: a UNIX socket has no C{TCP_NODELAY}."""
        if ITCPTransport.providedBy(transport):
            if self.noDelay:
                transport.setTcpNoDelay(True)
            if self.keepAlive:
                transport.setTcpKeepAlive(True)
        if not (self.sendBuffer or self.receiveBuffer or self.patience):
            return
        handle = _socketOf(transport)
        if handle is not None:
            if self.patience and handle.family in (socket.AF_INET, socket.AF_INET6):
                self._bePatient(handle)
            # The system cuts what is above its own limit.
            if self.sendBuffer:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.sendBuffer)
            if self.receiveBuffer:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receiveBuffer)

    def _bePatient(self, handle: socket.socket) -> None:
        """Ask after half the time, then three times more; and wait no longer for what was sent."""
        between = max(1, self.patience // 8)
        wanted = (
            ("TCP_KEEPIDLE", max(1, self.patience - 4 * between)),
            ("TCP_KEEPINTVL", between),
            ("TCP_KEEPCNT", 4),
            ("TCP_USER_TIMEOUT", self.patience * 1000),
        )
        for name, value in wanted:
            option = getattr(socket, name, None)  # Not every system has every one.
            if option is not None:
                handle.setsockopt(socket.IPPROTO_TCP, option, value)


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


def isOwnAddress(address: str) -> bool:
    """Whether an IP address is one of this machine's own: nobody can listen at another's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


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
