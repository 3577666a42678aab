"""
How what is to be sent leaves: as it comes, or in pieces and with pauses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from labnet.netcat.wire import Chopper

__all__ = ["Sender"]


class Sender:
    """
    Sends a stream in pieces. Whoever feeds it feeds no more while it is L{busy}, so it keeps no more than
    it was fed at once.

    @param clock: the reactor, or a C{Clock} in a test.
    @param send: sends one piece.
    @param ready: called when it is no longer busy.
    @param sizes: the bytes of each piece, in turn; empty to leave the stream as it comes.
    @param pause: seconds between two pieces.
    """

    #: Seconds after which what does not make a whole piece is sent nevertheless: somebody is typing.
    QUIET = 0.05

    def __init__(
        self,
        clock: IReactorTime,
        send: Callable[[bytes], object],
        ready: Callable[[], object],
        sizes: Sequence[int] = (),
        pause: float = 0.0,
    ) -> None:
        self._clock = clock
        self._send = send
        self._ready = ready
        self._chopper = Chopper(sizes) if sizes else None
        self._pause = pause
        self._paced = bool(sizes) or pause > 0
        self._queue: deque[bytes] = deque()
        self._held = False
        self._due = True
        self._timer: IDelayedCall | None = None
        self._quiet: IDelayedCall | None = None

    @property
    def busy(self) -> bool:
        """Whether there are pieces that have not left."""
        return bool(self._queue)

    def feed(self, data: bytes) -> None:
        """Send C{data}; the last piece of it waits a moment for the bytes that make it whole."""
        if not self._paced:
            self._send(data)
            return
        self._cancelQuiet()
        self._queue.extend(self._chopper.feed(data) if self._chopper is not None else [data])
        if self._chopper is not None and self._chopper.pending:
            self._quiet = self._clock.callLater(self.QUIET, self.flush)
        self._next()

    def flush(self) -> None:
        """Do not wait for more: what has been fed is a piece of its own."""
        self._cancelQuiet()
        if self._chopper is not None:
            self._queue.extend(self._chopper.flush())
            self._next()

    def hold(self) -> None:
        """Send no piece until L{release}: the network is slow."""
        self._held = True

    def release(self) -> None:
        """Send again."""
        self._held = False
        self._next()

    def stop(self) -> None:
        """Send nothing any more."""
        self._queue.clear()
        self._cancelQuiet()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _next(self) -> None:
        if not self._queue or self._held or not self._due:
            return
        # Each piece has a turn of the reactor to itself, or they would leave as one.
        self._due = False
        self._timer = self._clock.callLater(self._pause, self._dueNow)
        self._send(self._queue.popleft())

    def _dueNow(self) -> None:
        self._timer = None
        self._due = True
        if self._queue:
            self._next()
        if not self._queue:
            self._ready()

    def _cancelQuiet(self) -> None:
        quiet, self._quiet = self._quiet, None
        if quiet is not None and quiet.active():
            quiet.cancel()
