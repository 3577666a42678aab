"""
What the log says, for people and for machines.

A line that a peer can influence goes through L{shown}, so that no peer can break a line, colour a
terminal or fill a disk.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime
from typing import IO, TextIO, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from zope.interface import provider

__all__ = ["ProcessLog", "Tally", "counted", "jsonLogObserver", "openLog", "processLog", "shown"]


def counted(number: int, one: str, several: str = "") -> str:
    """So many of them: C{1 reply}, C{2 replies}. C{several} is C{one} with an s unless given."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def shown(data: bytes | str, limit: int = 60) -> str:
    """
    Peer bytes as they may stand in a log line: printable ASCII, everything else escaped, and at most
    C{limit} characters of the input, with the rest counted.
    """
    rest = len(data) - limit
    start = data[:limit]
    text = start.decode("latin-1") if isinstance(start, bytes) else start
    quoted = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{quoted}"' + (f" and {rest} more" if rest > 0 else "")


def jsonLogObserver(stream: IO[str]) -> ILogObserver:
    """
    An observer that writes one JSON object a line: C{time} (ISO 8601, UTC), C{level}, C{source},
    C{text}, then the event's own fields as far as they are numbers or text.
    """

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure")
        row: dict[str, object] = {
            "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(),
            "level": getattr(event.get("log_level"), "name", "info"),
            "source": event.get("log_namespace", ""),
            "text": formatEvent(event),
        }
        if failure is not None:
            row["failure"] = failure.getTraceback()
        for key, value in event.items():
            if key.startswith("log_") or key in row or key in _LEGACY_KEYS:
                continue
            if isinstance(value, float) and not math.isfinite(value):
                value = str(value)  # JSON has no word for it.
            if value is None or isinstance(value, (bool, int, float, str)):
                row[key] = value
        stream.write(json.dumps(row) + "\n")
        stream.flush()

    return cast(ILogObserver, observe)


_LEGACY_KEYS = frozenset(("message", "time", "system", "format", "isError", "logLevel", "log_text"))


def openLog(name: str | None) -> TextIO:
    """The file a log goes to: C{name}, to which it is appended, or standard output."""
    if name is None or name == "-":
        return sys.stdout
    return open(name, "a", encoding="utf-8", buffering=1)


class ProcessLog:
    """
    The JSON log of a C{twistd} process. C{twistd} takes its logger by name and calls it without arguments,
    so what this one has to know is told to it beforehand.

    @ivar fileName: see L{openLog}.
    """

    def __init__(self) -> None:
        self.fileName: str | None = None

    def __call__(self) -> ILogObserver:
        return jsonLogObserver(openLog(self.fileName))


#: The one log that a process has.
processLog = ProcessLog()


class Tally:
    """
    Counts what would flood the log, and writes one line for all of it.

    The first event starts an interval; when it ends one line gives the counts by reason.

    @param log: where to.
    @param what: what is counted, in the plural: C{"datagrams dropped"}.
    @param clock: what time it is.
    @param interval: seconds between lines.
    @ivar total: how many there were.
    @ivar counts: the same, by reason.
    """

    def __init__(
        self,
        log: Logger,
        what: str,
        clock: IReactorTime,
        interval: float = 10.0,
    ) -> None:
        self._log = log
        self._what = what
        self._clock = clock
        self._interval = interval
        self._waiting: dict[str, int] = {}
        self._call: IDelayedCall | None = None
        self.total = 0
        self.counts: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """One more, or C{count} more, because of C{reason} (one of a small fixed set)."""
        self.total += count
        self.counts[reason] = self.counts.get(reason, 0) + count
        self._waiting[reason] = self._waiting.get(reason, 0) + count
        if self._call is None:
            self._call = self._clock.callLater(self._interval, self.flush)

    def flush(self) -> None:
        """Write what is waiting now, and end the interval."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        if self._waiting:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._waiting.items())
            self._log.warn(
                "{count} {what}: {reasons}",
                count=sum(self._waiting.values()),
                what=self._what,
                reasons=reasons,
            )
            self._waiting.clear()
