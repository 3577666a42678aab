"""
A terminal with the chat above and the line one types below.
"""

from __future__ import annotations

import atexit
import os
import termios
import tty
from contextlib import suppress
from typing import IO

from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from labnet.chat.inputline import InputLine
from labnet.net.console import Lines

__all__ = ["Screen"]


class Screen(Lines):
    """
    A terminal, used as a L{labnet.net.console.Console}: what is said scrolls up above the input line.

    @param out: what to draw on.
    @param terminal: the terminal's name, as of C{os.ttyname}. It is opened anew for reading, because
        reading here does not block, and whoever shares the open terminal would notice.
    """

    def __init__(self, out: IO[str], terminal: str) -> None:
        super().__init__()
        self._out = out
        self._input = InputLine()
        self._closed = False
        self._keyboard = os.open(terminal, os.O_RDONLY | os.O_NOCTTY)
        self._before = termios.tcgetattr(self._keyboard)
        self._own = os.dup(self._keyboard)
        atexit.register(self.close)
        tty.setcbreak(self._keyboard)
        devnull = os.open(os.devnull, os.O_WRONLY)
        StandardIO(self, stdin=self._keyboard, stdout=devnull)  # type: ignore[call-arg]
        self._draw()

    # What a client does with it.

    def say(self, line: str) -> None:
        """
        One line above the input.

        @raise OSError: the terminal is gone.
        """
        if not self._closed:
            self._out.write(f"\r\x1b[K{line}\n")
            self._draw()

    def complain(self, line: str) -> None:
        """One line about what went wrong, likewise."""
        with suppress(OSError):
            self.say(f"-- {line}")

    async def readLine(self) -> str | None:
        """The next line that is entered; L{None} when there will be none."""
        return await self.next()

    def stopReading(self) -> None:
        """Whoever waits for a line is told that there is none."""
        self._closed = True
        self.end()

    def close(self) -> None:
        """Give the terminal back as it was."""
        atexit.unregister(self.close)
        self._closed = True
        own, self._own = self._own, -1
        if own >= 0:
            with suppress(OSError, ValueError):
                self._out.write("\r\x1b[K")
                self._out.flush()
            with suppress(termios.error, OSError):
                termios.tcsetattr(own, termios.TCSADRAIN, self._before)
            os.close(own)
        if self.transport is not None:
            self.transport.loseConnection()

    # IProtocol

    def dataReceived(self, data: bytes) -> None:
        for line in self._input.feed(data):
            if line is None:
                self.stopReading()
                return
            self.say(f"> {line}")
            self._ready.append(line)
        self._draw()
        self.arrived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.stopReading()

    def _draw(self) -> None:
        if self._closed:
            return
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            columns = 80
        text, column = self._input.view(max(4, columns) - 2)
        self._out.write(f"\r\x1b[K> {text}\r\x1b[{column + 2}C")
        self._out.flush()
