"""
A network in memory: sockets that connect, or do not, as they are told; and a reactor that watches them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.task import Clock

from labnet.scan.verdict import ScannedHost

#: What the second and later look at an attempt says that is never answered.
SILENCE = errno.EALREADY
REFUSED = errno.ECONNREFUSED


class Handle:
    """A socket. Its number is unique in its network."""

    def __init__(self, network: Network, number: int) -> None:
        self._network = network
        self._number = number
        self.port = 0
        self.answer = SILENCE
        self.looks = 0
        self.closed = False

    def fileno(self) -> int:
        return -1 if self.closed else self._number

    def connect_ex(self, where: tuple[str, int]) -> int:
        assert not self.closed
        if where[1] == self.port and self.looks:
            self.looks += 1
            return self.answer
        self.port = where[1]
        self.looks = 1
        self.answer = self._network.attempted(where)
        return self._network.atOnce.get(self.answer, errno.EINPROGRESS)

    def getsockopt(self, level: int, option: int) -> int:
        return self.answer

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port if self.port in self._network.toItself else 40_000)

    def getpeername(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def shutdown(self, how: int) -> None:
        self._network.ended.append(self.port)

    def recv(self, size: int) -> bytes:
        assert self.port in self._network.ended
        return b"last words"

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        self._network.handles.remove(self)


class Network(Clock):
    """
    A reactor, and the network below it.

    @ivar answers: by port, the error numbers of its attempts in turn, the last one for all that follow; a
        port that is not in it refuses.
    @ivar atOnce: error numbers that C{connect} itself returns, in place of "in progress".
    @ivar most: descriptors that there are.
    @ivar toItself: ports where a connection that is made leads to itself.
    @ivar ended: ports whose connections were half-closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[int, list[int]] = {}
        self.atOnce: dict[int, int] = {}
        self.most = 10_000
        self.toItself: set[int] = set()
        self.ended: list[int] = []
        self.handles: list[Handle] = []
        self.watched: list[Any] = []
        self.attempts: list[tuple[str, int]] = []
        self.highest = 0
        self._numbers = iter(range(10, 1_000_000))

    def open(self, family: int) -> Any:
        if len(self.handles) >= self.most:
            raise OSError(errno.EMFILE, "Too many open files")
        handle = Handle(self, next(self._numbers))
        self.handles.append(handle)
        self.highest = max(self.highest, len(self.handles))
        return handle

    def attempted(self, where: tuple[str, int]) -> int:
        self.attempts.append(where)
        answers = self.answers.get(where[1], [REFUSED])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def addWriter(self, writer: Any) -> None:
        assert writer not in self.watched
        self.watched.append(writer)

    def removeWriter(self, writer: Any) -> None:
        self.watched.remove(writer)

    def deliver(self, how: Callable[[Any], object] = lambda writer: writer.doWrite()) -> int:
        """Report every attempt that has its answer, and return how many they were."""
        ready = [writer for writer in self.watched if writer.handle.answer != SILENCE]
        for writer in ready:
            how(writer)
        return len(ready)

    def settle(self, turns: int = 10_000) -> None:
        """Run the reactor until there is nothing to do but to wait."""
        for _ in range(turns):
            calls = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
            if not calls and not self.deliver():
                return
            self.advance(0)


def host(*ports: int, address: str = "10.0.0.1") -> ScannedHost:
    """A host that is scanned; one on the loopback interface is asked twice at once."""
    return ScannedHost(address, ip_address(address), ports)
