"""
The scanner: many attempts to connect at a time, each a bare socket that the reactor watches.

An attempt needs a descriptor and nothing else. Endpoints, protocols and a timer for each would cost more
than three times as much.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.sockets import raiseDescriptorLimit
from labnet.scan.verdict import ScannedHost, Verdict, verdictOf

__all__ = ["Pace", "Scan", "ScanReactor", "mostAtOnce", "openSocket", "scan"]

_STILL_TRYING = frozenset((errno.EINPROGRESS, errno.EALREADY, errno.EINTR))
#: The machine has no descriptor, local port or memory left; it has when other attempts are over.
_SHORTAGE = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
)
#: Attempts that are begun in one turn of the reactor, which then sees to its other work.
_BATCH = 512
#: However much is lost, so many attempts at a time are not too many.
_FEW = 32
#: Descriptors that the rest of the process may need.
_RESERVED = 128
#: A server that is left at once may be in the middle of its first words, and many a plain program does not
#: survive the reset that follows. So it is told of the end, and has so many seconds for them, ...
_FAREWELL = 0.1
#: ... as far as no more ports than these are open.
_MOST_LEAVING = 64
#: What is read, and thrown away, of its words.
_LAST_WORDS = 65_536
#: Linux lets a socket that was refused connect again; elsewhere its state is undefined then.
_REUSABLE = sys.platform == "linux"


class ScanReactor(Protocol):
    """What the scanner needs of a reactor: a clock, and descriptors."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall: ...

    def addWriter(self, writer: IWriteDescriptor) -> None: ...

    def removeWriter(self, writer: IWriteDescriptor) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How fast and how patient a scan is.

    @ivar atOnce: attempts under way at the same time, at most.
    @ivar timeout: seconds that each attempt gets.
    @ivar tries: attempts without any answer before a port counts as filtered.
    @ivar rate: attempts begun in a second, at most; 0: no limit.
    """

    atOnce: int = 2_000
    timeout: float = 1.0
    tries: int = 3
    rate: float = 0.0


def mostAtOnce() -> int:
    """Raise the process's limit on descriptors, and return how many attempts fit under it."""
    limit = raiseDescriptorLimit()
    return max(1, limit // 2, limit - _RESERVED)


def openSocket(family: int) -> socket.socket:
    """A TCP socket that does not block."""
    handle = socket.socket(family, socket.SOCK_STREAM)
    handle.setblocking(False)
    return handle


class _Destination:
    """
    An address, as the system calls want it.

    @ivar local: whether the answer is there when C{connect} returns, as it is on the loopback interface.
    """

    __slots__ = ("family", "host", "local", "text")

    def __init__(self, host: ScannedHost) -> None:
        self.host = host
        self.text = str(host.address)
        self.family = socket.AF_INET if host.address.version == 4 else socket.AF_INET6
        self.local = host.address.is_loopback


@implementer(IWriteDescriptor)
class _Attempt:
    """
    A connection being made; the reactor says when it is made, or is not.

    @ivar index: which of the host's ports.
    @ivar tries: the how-manieth attempt it is, from 1.
    """

    __slots__ = ("deadline", "destination", "handle", "index", "owner", "tries")

    def __init__(
        self, owner: Scan, destination: _Destination, index: int, tries: int, handle: socket.socket
    ) -> None:
        self.owner = owner
        self.destination = destination
        self.index = index
        self.tries = tries
        self.handle = handle
        self.deadline = 0.0

    def fileno(self) -> int:
        return self.handle.fileno()

    def doWrite(self) -> None:
        self.owner.answered(self)

    def connectionLost(self, reason: Failure) -> None:
        # How some reactors say that a connection can not be made.
        self.owner.answered(self)

    def logPrefix(self) -> str:
        return "scan"


class Scan:
    """
    One scan of some hosts.

    Ports take turns over the hosts, so that no host gets all attempts at once. What is not answered in
    time is tried again after everything else. When that has an answer then, the attempt before it was
    lost, and half as many attempts are made at a time from then on.

    @param hosts: what to scan; their verdicts are filled in.
    @param progress: called now and then with the number of ports that have their verdict.
    @param opener: makes the sockets.
    """

    def __init__(
        self,
        reactor: ScanReactor,
        hosts: Sequence[ScannedHost],
        pace: Pace,
        progress: Callable[[int], object] = lambda done: None,
        opener: Callable[[int], socket.socket] = openSocket,
    ) -> None:
        self._reactor = reactor
        self._pace = pace
        self._progress = progress
        self._opener = opener
        self._fresh = self._inTurns(hosts)
        self._again: deque[tuple[_Destination, int, int]] = deque()
        self._waiting: dict[_Attempt, None] = {}
        self._spare: dict[int, socket.socket] = {}
        self._leaving: deque[tuple[float, socket.socket]] = deque()
        self._atOnce = max(1, pace.atOnce)
        self._turn: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None
        self._slowedAt = 0.0
        self._startedAt = 0.0
        self._result: Deferred[None] | None = None
        self.total = sum(len(host.ports) for host in hosts)
        self.attempts = 0
        self.done = 0

    @staticmethod
    def _inTurns(hosts: Sequence[ScannedHost]) -> Iterator[tuple[_Destination, int, int]]:
        destinations = [_Destination(host) for host in hosts]
        most = max((len(host.ports) for host in hosts), default=0)
        for index, destination in product(range(most), destinations):
            if index < len(destination.host.ports):
                yield destination, index, 1

    def run(self) -> Deferred[None]:
        """
        Scan.

        @return: fires when every port has its verdict; fails with L{OSError} when the machine has not even
            one descriptor left. Cancelling it ends all attempts.
        """
        self._startedAt = self._reactor.seconds()
        self._result = Deferred(lambda result: self._stop())
        result = self._result
        self._later(0.0)
        return result

    # Attempts begin.

    def _later(self, delay: float) -> None:
        if self._turn is None:
            self._turn = self._reactor.callLater(delay, self._work)

    def _work(self) -> None:
        self._turn = None
        for _ in range(_BATCH):
            if len(self._waiting) >= self._atOnce:
                break
            delay = self._untilAllowed()
            if delay > 0:
                self._later(delay)
                break
            following = next(self._fresh, None) or (self._again.popleft() if self._again else None)
            if following is None:
                break
            if not self._begin(*following):
                break
        else:
            self._later(0.0)
        self._progress(self.done)
        if self.done == self.total:
            self._leaveAll()
        else:
            self._watch()

    def _untilAllowed(self) -> float:
        """Seconds until the rate lets another attempt begin."""
        if not self._pace.rate:
            return 0.0
        return self._startedAt + self.attempts / self._pace.rate - self._reactor.seconds()

    def _begin(self, destination: _Destination, index: int, tries: int) -> bool:
        """Begin an attempt. Whether another may follow it."""
        where = (destination.text, destination.host.ports[index])
        handle = self._spare.pop(destination.family, None)
        try:
            handle = handle or self._opener(destination.family)
        except OSError as error:
            return self._short(destination, index, tries, error)
        self.attempts += 1
        number = handle.connect_ex(where)
        if number == errno.EINPROGRESS and destination.local:
            # The answer is there already, and asking for it is cheaper than having it announced.
            number = handle.connect_ex(where)
        if number in _STILL_TRYING:
            attempt = _Attempt(self, destination, index, tries, handle)
            attempt.deadline = self._reactor.seconds() + self._pace.timeout
            self._waiting[attempt] = None
            self._reactor.addWriter(attempt)
        elif number in _SHORTAGE:
            handle.close()
            return self._short(destination, index, tries, OSError(number, os.strerror(number)))
        else:
            self._decide(destination, index, tries, handle, number)
        return True

    def _short(self, destination: _Destination, index: int, tries: int, error: OSError) -> bool:
        """The machine can not begin another attempt now."""
        if self._waiting or self._leaving:
            self._again.appendleft((destination, index, tries))
            while self._leaving:
                _close(self._leaving.popleft()[1])
            self._atOnce = max(1, len(self._waiting))
            if not self._waiting:
                self._later(0.0)
            return False
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            # Not for lack of local ports: there is no way to that address at all.
            self._settle(destination, index, Verdict.NETWORK_UNREACHABLE)
            return True
        self._finish(Failure(error))
        return False

    # Attempts end.

    def answered(self, attempt: _Attempt) -> None:
        """The reactor has news of an attempt."""
        if attempt not in self._waiting:
            return
        self._forget(attempt)
        number = attempt.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._decide(attempt.destination, attempt.index, attempt.tries, attempt.handle, number)
        self._later(0.0)

    def _decide(
        self, destination: _Destination, index: int, tries: int, handle: socket.socket, number: int
    ) -> None:
        verdict = verdictOf(number)
        if verdict is Verdict.REFUSED and destination.local and _REUSABLE and tries == 1:
            self._keep(destination.family, handle)
        else:
            if verdict is Verdict.CONNECTED and _connectedToItself(handle):
                # The system chose the very port as the local one, which it does only where nothing listens.
                verdict = Verdict.REFUSED
            if verdict is Verdict.CONNECTED:
                self._leave(handle)
            else:
                handle.close()
        if tries > 1 and verdict is not Verdict.NO_ANSWER:
            self._slowDown()
        if verdict is Verdict.NO_ANSWER and tries < self._pace.tries:
            self._again.append((destination, index, tries + 1))
        else:
            self._settle(destination, index, verdict)

    def _leave(self, handle: socket.socket) -> None:
        """End a connection that was made, politely."""
        with suppress(OSError):
            handle.shutdown(socket.SHUT_WR)
        self._leaving.append((self._reactor.seconds() + _FAREWELL, handle))
        if len(self._leaving) > _MOST_LEAVING:
            _close(self._leaving.popleft()[1])

    def _leaveAll(self) -> None:
        """Everything has its verdict. The last connections still have their time."""
        now = self._reactor.seconds()
        if self._leaving and self._leaving[-1][0] > now and self._result is not None:
            self._later(self._leaving[-1][0] - now)
        else:
            self._finish(None)

    def _keep(self, family: int, handle: socket.socket) -> None:
        if family in self._spare:
            handle.close()
        else:
            self._spare[family] = handle

    def _settle(self, destination: _Destination, index: int, verdict: Verdict) -> None:
        destination.host.verdicts[index] = verdict
        self.done += 1

    def _slowDown(self) -> None:
        now = self._reactor.seconds()
        if now - self._slowedAt >= self._pace.timeout:
            self._slowedAt = now
            self._atOnce = max(min(_FEW, self._atOnce), self._atOnce // 2)

    def _forget(self, attempt: _Attempt) -> None:
        del self._waiting[attempt]
        self._reactor.removeWriter(attempt)

    # Time: one timer, for the attempt that is the oldest.

    def _watch(self) -> None:
        if self._timer is None and self._waiting:
            oldest = next(iter(self._waiting))
            delay = max(0.0, oldest.deadline - self._reactor.seconds())
            self._timer = self._reactor.callLater(delay, self._timeUp)

    def _timeUp(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        for attempt in tuple(self._waiting):
            if attempt.deadline > now:
                break
            self._forget(attempt)
            # When we are slow, the answer may be there, and only nobody has looked.
            where = (attempt.destination.text, attempt.destination.host.ports[attempt.index])
            number = attempt.handle.connect_ex(where)
            if number in _STILL_TRYING:
                number = errno.ETIMEDOUT
            self._decide(attempt.destination, attempt.index, attempt.tries, attempt.handle, number)
        self._watch()
        self._later(0.0)

    # The end.

    def _finish(self, problem: Failure | None) -> None:
        result, self._result = self._result, None
        self._stop()
        if result is not None:
            if problem is None:
                result.callback(None)
            else:
                result.errback(problem)

    def _stop(self) -> None:
        for call in (self._turn, self._timer):
            if call is not None and call.active():
                call.cancel()
        self._turn = self._timer = None
        for attempt in tuple(self._waiting):
            self._forget(attempt)
            attempt.handle.close()
        for handle in self._spare.values():
            handle.close()
        self._spare.clear()
        while self._leaving:
            _close(self._leaving.popleft()[1])


def _close(handle: socket.socket) -> None:
    """Close a connection that was made; what is unread would turn the end into a reset."""
    with suppress(OSError):
        handle.recv(_LAST_WORDS)
    handle.close()


def _connectedToItself(handle: socket.socket) -> bool:
    try:
        return bool(handle.getsockname() == handle.getpeername())
    except OSError:
        return False


async def scan(
    reactor: ScanReactor,
    hosts: Sequence[ScannedHost],
    pace: Pace | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> None:
    """
    Scan, and fill in the hosts' verdicts. Whether one may is for the caller to ask
    (L{labnet.scan.policy.refusal}).

    @param pace: no more attempts than the process has descriptors are made at a time, whatever it says.
    @param progress: called now and then with the number of ports that have their verdict.
    @raise OSError: the machine has not even one descriptor left.
    """
    pace = pace or Pace()
    fitting = Pace(min(pace.atOnce, mostAtOnce()), pace.timeout, pace.tries, pace.rate)
    await Scan(reactor, hosts, fitting, progress).run()
