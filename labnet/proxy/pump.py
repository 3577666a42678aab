"""
Sends what a spool holds, as fast as whoever takes it reads.
"""

from __future__ import annotations

from collections.abc import Callable

from labnet.proxy.spool import Spool

__all__ = ["Pump"]


class Pump:
    """
    Writes a spool's pieces one after another, and stops while it is paused.

    @param spool: what to send; whoever made it closes it, and closes the pump before.
    @param write: takes a piece; it may pause the pump before it returns.
    @param done: called after the last piece.
    @param failed: called in its place when the disk does not give back what was written.
    """

    def __init__(
        self,
        spool: Spool,
        write: Callable[[bytes], None],
        done: Callable[[], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._pieces = spool.pieces()
        self._write = write
        self._done = done
        self._failed = failed
        self._paused = False
        self._running = False
        self._closed = False

    def pause(self) -> None:
        """Write nothing until L{resume}."""
        self._paused = True

    def resume(self) -> None:
        """Begin, or go on."""
        self._paused = False
        if self._running:
            return
        self._running = True
        try:
            while not self._paused and not self._closed:
                self._step()
        finally:
            self._running = False

    def close(self) -> None:
        """Nothing more is written or called."""
        self._closed = True

    def _step(self) -> None:
        try:
            piece = next(self._pieces, None)
        except OSError as error:
            self.close()
            self._failed(error)
            return
        if piece is not None:
            self._write(piece)
        else:
            self.close()
            self._done()
