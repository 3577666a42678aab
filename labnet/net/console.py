"""
The person, or the pipe, at the other side of a client.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from twisted.internet.defer import DeferredQueue
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

__all__ = ["Console"]


class _Lines(LineOnlyReceiver):
    """Standard input, line by line; C{None} is its end."""

    delimiter = b"\n"
    MAX_LENGTH = 65_536

    def __init__(self) -> None:
        self.queue: DeferredQueue[str | None] = DeferredQueue()
        self._rest = b""

    def dataReceived(self, data: bytes) -> None:
        # A last line without a newline is a line, too.
        self._rest = (self._rest + data).rpartition(b"\n")[2]
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        self.queue.put(line.rstrip(b"\r").decode("utf-8", "replace"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._rest:
            self.lineReceived(self._rest)
        self.queue.put(None)


class Console:
    """
    Where a client writes its results and its complaints, and reads its questions.

    The streams are the process's own, which C{twistd} replaces by its log.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.__stdout__
        self._err = err if err is not None else sys.__stderr__
        self._lines: _Lines | None = None

    def say(self, line: str) -> None:
        """
        One line of result.

        @raise BrokenPipeError: nobody reads it any more.
        """
        if self._out is not None:
            self._out.write(line + "\n")
            self._out.flush()

    def complain(self, line: str) -> None:
        """One line about what went wrong."""
        if self._err is not None:
            self._err.write(line + "\n")
            self._err.flush()

    async def readLine(self) -> str | None:
        """The next line of standard input without its end, or L{None} after the last."""
        if self._lines is None:
            self._lines = _Lines()
            # Copies, because StandardIO closes what it was given, and our output is not its to close.
            devnull = os.open(os.devnull, os.O_WRONLY)
            StandardIO(self._lines, stdin=os.dup(0), stdout=devnull)  # type: ignore[call-arg]
        return await self._lines.queue.get()
