"""
Where the lines of a trace go: the log, or a file of their own. Neither can stop a service.
"""

from __future__ import annotations

import os
from typing import Protocol

from twisted.logger import Logger

from labnet.net.logfile import STANDARD_OUTPUT, LogFile
from labnet.net.logs import counted
from labnet.net.trace import Conversation, Event
from labnet.net.tracefile import EventLines
from labnet.net.traceline import TraceLines

__all__ = ["MOST_LINES", "MOST_SIZE", "TraceFile", "TraceLog", "lookerFor"]

#: Lines a second that go into the log; what is more is counted.
MOST_LINES = 1000
#: Bytes of a file with a trace; then it is renamed, and a new one begun.
MOST_SIZE = 64 * 1024 * 1024


#: What the name of a file ends with that is for programs.
_FOR_PROGRAMS = ".jsonl"


class Lines(Protocol):
    """What makes the lines of a file."""

    def lines(self, conversation: Conversation, event: Event) -> list[str]:
        """Those of one event, without their ends."""

    def lost(self, count: int) -> str:
        """The line in place of so many that could not be written."""


class TraceLog:
    """
    A looker that writes into the log, with the event's own numbers for C{--json-logs}.

    @param lines: makes the lines.
    @param most: lines a second.
    """

    log = Logger("labnet.trace")

    def __init__(self, lines: TraceLines, most: int = MOST_LINES) -> None:
        self._lines = lines
        self._most = most
        self._second = 0
        self._written = 0
        self._left = 0

    def __call__(self, conversation: Conversation, event: Event) -> None:
        """Write what has happened."""
        second = int(event.at)
        if second != self._second:
            self._second, self._written = second, 0
            if self._left:
                left, self._left = self._left, 0
                self.log.warn("{left} of the trace left out", left=counted(left, "event"))
        if self._written >= self._most:
            self._left += 1
            self._lines.passOver(conversation, event)
            return
        lines = self._lines.lines(conversation, event)
        self._written += len(lines)
        for line in lines:
            self.log.info(
                "{line}",
                line=line,
                service=conversation.service,
                conversation=conversation.id,
                event=event.number,
                what=event.what.value,
                size=event.size,
                at=event.at,
            )


class TraceFile:
    """
    A looker that appends to a file. When that is longer than L{MOST_SIZE} it becomes C{NAME.1} in place of
    the one before. While the disk is full, or the file can not be opened, lines are lost; that is said in
    the log once, and in the file when it goes on.

    @param name: of the file; it is opened with the first event.
    @param lines: makes the lines.
    @param most: bytes that it has at most, roughly.
    """

    log = Logger()

    def __init__(self, name: str, lines: Lines, most: int = MOST_SIZE) -> None:
        self._name = name
        self._lines = lines
        self._most = most
        self._file: LogFile | None = None
        self._lost = 0
        # How much may be written until it is looked at the file again.
        self._unseen = 0

    def __call__(self, conversation: Conversation, event: Event) -> None:
        """Append what has happened."""
        lines = self._lines.lines(conversation, event)
        try:
            file = self._opened()
            if self._lost:
                self._append(file, [self._lines.lost(self._lost)])
                self._lost = 0
            self._append(file, lines)
        except OSError as error:
            if not self._lost:
                self.log.warn(
                    "the trace can not be written to {name}: {why}", name=self._name, why=error.strerror
                )
            self._lost += len(lines)

    def _append(self, file: LogFile, lines: list[str]) -> None:
        data = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
        if file.write(data) < len(data):
            raise BlockingIOError(0, "it takes no more")
        self._unseen += len(data)

    def _opened(self) -> LogFile:
        """The file, a new one where it was renamed or has become too long."""
        if self._file is not None and self._unseen > min(self._most, 65_536):
            self._unseen = 0
            if self._file.moved:
                self._close()
            elif self._file.size > self._most:
                os.replace(self._name, f"{self._name}.1")
                self._close()
        if self._file is None:
            self._file = LogFile(self._name)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def close(self) -> None:
        """Let go of the file; another event opens it again."""
        self._close()


def lookerFor(name: str | None, most: int) -> TraceLog | TraceFile:
    """
    What writes a trace.

    @param name: of a file, or C{-} for standard output; L{None} for the log. C{*.jsonl} is for programs,
        see L{labnet.net.tracefile}.
    @param most: bytes of each piece that are shown.
    """
    if name is None:
        return TraceLog(TraceLines(most))
    lines = EventLines() if name.endswith(_FOR_PROGRAMS) else TraceLines(most)
    return TraceFile(name if name == STANDARD_OUTPUT else os.path.abspath(name), lines)
