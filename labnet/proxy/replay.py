"""
Sends what was held, and what came meanwhile, in this order.
"""

from __future__ import annotations

from collections.abc import Callable

from labnet.proxy.pump import Pump
from labnet.proxy.spool import Spool
from labnet.proxy.wire import Fields

__all__ = ["Replay"]


class Replay:
    """
    A body of which the beginning, or all, is held.

    @param spool: what is held; it is closed in the end.
    @param write: takes a piece; it may L{pause} before it returns.
    @param done: called when all that has come is written; with the trailers, if the body has L{ended}.
    @param failed: called in its place when the disk does not give back what was written.
    """

    def __init__(
        self,
        spool: Spool,
        write: Callable[[bytes], None],
        done: Callable[[Fields | None], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self.spool = spool
        self._write = write
        self._done = done
        self._after: list[bytes] = []
        self._trailers: Fields | None = None
        self._closed = False
        self._pump = Pump(spool, write, self._playedOut, failed)

    def add(self, piece: bytes) -> None:
        """A piece has come that is not held: it waits for its turn."""
        self._after.append(piece)

    def ended(self, trailers: Fields) -> None:
        """Nothing more will come."""
        self._trailers = trailers

    def pause(self) -> None:
        """Write nothing until L{resume}."""
        self._pump.pause()

    def resume(self) -> None:
        """Begin, or go on."""
        self._pump.resume()

    def close(self) -> None:
        """Nothing more is written or called."""
        self._closed = True
        self._pump.close()
        self.spool.close()

    def _playedOut(self) -> None:
        for piece in self._after:
            if not self._closed:
                self._write(piece)
        if not self._closed:
            self.spool.close()
            self._done(self._trailers)
