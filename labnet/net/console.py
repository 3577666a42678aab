"""
The person, or the pipe, at the other side of a client.
"""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from contextlib import suppress
from typing import TextIO, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

__all__ = ["Console", "Lines", "legible"]


def legible(data: bytes) -> str:
    """
    What a peer said, as it may stand on a terminal: its text with its lines, and everything that is not
    printed but does something (escape sequences, directions of writing) as an escape one can read.
    """
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class Lines(Protocol):
    """
    A stream taken apart into lines, which wait until somebody asks for them.

    What waits is bounded: above C{AHEAD} lines the stream is not read. Of a line that is longer than
    C{LONGEST} bytes only the first C{LONGEST} + 1 are kept, so that whoever reads it sees that it is
    too long.
    """

    LONGEST = 65_536
    AHEAD = 1_000

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._rest = bytearray()
        self._waiting: Deferred[str | None] | None = None
        self._paused = False
        self._ended = False

    def next(self) -> Deferred[str | None]:
        """The next line without its end, or L{None} when there is none any more; one at a time."""
        line: Deferred[str | None] = Deferred(self._forget)
        self._waiting = line
        self._give()
        return line

    def end(self) -> None:
        """There is no more; also said by whoever does not want any more."""
        self._ended = True
        self._give()

    def dataReceived(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._extend(first)
        for piece in others:
            self._complete()
            self._extend(piece)
        self.arrived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._rest:
            # A last line without a newline is a line, too.
            self._complete()
        self.end()

    def arrived(self) -> None:
        """There may be more lines: give them to whoever waits, and read no more if they are many."""
        if len(self._ready) > self.AHEAD and not self._paused:
            self._paused = True
            cast(IPushProducer, self.transport).pauseProducing()
        self._give()

    def _extend(self, piece: bytes) -> None:
        self._rest += piece[: self.LONGEST + 1 - len(self._rest)]

    def _complete(self) -> None:
        self._ready.append(self._rest.rstrip(b"\r").decode("utf-8", "replace"))
        self._rest.clear()

    def _give(self) -> None:
        waiting = self._waiting
        if waiting is not None and (self._ready or self._ended):
            self._waiting = None
            waiting.callback(self._ready.popleft() if self._ready else None)
        if self._paused and not self._ready and not self._ended:
            self._paused = False
            cast(IPushProducer, self.transport).resumeProducing()

    def _forget(self, line: Deferred[str | None]) -> None:
        self._waiting = None


def _own(descriptor: int, mode: int) -> int:
    """
    A descriptor of our own for a standard stream: it is closed when its user is done, and it does not
    block. A terminal or a pipe is opened anew, for a mere copy would share that with everybody who has the
    same stream, as the shell has, and our own standard error.
    """
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISCHR(kind) or stat.S_ISFIFO(kind):
        with suppress(OSError):
            return os.open(f"/dev/fd/{descriptor}", mode | os.O_NONBLOCK | os.O_NOCTTY)
    return os.dup(descriptor)


class Console:
    """
    Where a client writes its results and its complaints, and reads its questions.

    The streams are the process's own, which C{twistd} replaces by its log.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.__stdout__
        self._err = err if err is not None else sys.__stderr__
        self._lines: Lines | None = None

    @property
    def width(self) -> int | None:
        """Columns of the terminal that results go to; L{None} where they may be as wide as they are."""
        if self._out is None or not self._out.isatty():
            return None
        with suppress(OSError):
            return os.get_terminal_size(self._out.fileno()).columns or None
        return None

    def say(self, line: str) -> None:
        """
        One line of result.

        @raise BrokenPipeError: nobody reads it any more.
        """
        if self._out is not None:
            try:
                self._out.write(line + "\n")
                self._out.flush()
            except BrokenPipeError:
                self._discard(self._out)
                raise

    def complain(self, line: str) -> None:
        """One line about what went wrong. When nobody reads it, it is lost."""
        if self._err is not None:
            try:
                self._err.write(line + "\n")
                self._err.flush()
            except OSError:
                self._discard(self._err)

    @staticmethod
    def attach(protocol: IProtocol, *, output: bool = False) -> None:
        """
        Let a protocol have the bytes of standard input, and with C{output} write to standard output: its
        transport reads no faster than it wants, and tells it when what it writes is not read.

        Where the process was started without one of them, its input is at its end, its output lost.
        """
        stdin = _own(0, os.O_RDONLY) if sys.__stdin__ is not None else os.open(os.devnull, os.O_RDONLY)
        if output and sys.__stdout__ is not None:
            stdout = _own(1, os.O_WRONLY)
        else:
            stdout = os.open(os.devnull, os.O_WRONLY)
        StandardIO(protocol, stdin=stdin, stdout=stdout)  # type: ignore[call-arg, unused-ignore]

    async def readLine(self) -> str | None:
        """The next line of standard input without its end, or L{None} after the last."""
        if self._lines is None:
            self._lines = Lines()
            self.attach(self._lines)
        return await self._lines.next()

    def stopReading(self) -> None:
        """There is no need for more lines: whoever waits for one is told that there is none."""
        if self._lines is not None:
            self._lines.end()

    @staticmethod
    def _discard(stream: TextIO) -> None:
        """Send what is still buffered nowhere, or the interpreter complains about it when it ends."""
        try:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
        except (OSError, ValueError):
            pass
