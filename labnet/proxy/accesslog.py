"""
What is written of each exchange: a line in the log, or one in an access log, which is written in batches.
"""

from __future__ import annotations

from collections import deque

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.net.logfile import STANDARD_OUTPUT, LogFile
from labnet.net.logs import Tally, counted, shown
from labnet.net.service import CannotStart
from labnet.proxy.accessformat import Line
from labnet.proxy.journal import Record

__all__ = ["STANDARD_OUTPUT", "AccessLog", "LogFile", "LoggedJournal"]

#: Bytes of a request-target in a line of the log.
_LONGEST_REQUEST = 200


class LoggedJournal:
    """
    A line in the log for each record that tells of a decision or of something that went wrong. What was
    looked at and passed on is in an L{AccessLog}: a line here costs half as much time as the request.
    """

    onlyDecisions = True

    def __init__(self, log: Logger) -> None:
        self._log = log

    def ended(self, record: Record) -> None:
        """Write the line, if there is one."""
        if record.status and not record.why:
            return
        request, head = '"?"', record.request
        if head is not None:
            request = shown(b"%b %b" % (head.method, record.url), _LONGEST_REQUEST)
        self._log.info(
            "proxy #{id} {peer} {request} {status}{note}",
            id=record.connection,
            peer=record.peer,
            request=request,
            status=record.status or "-",
            note=f" {record.why}" if record.why else "",
        )


class AccessLog(Service):
    """
    A journal in a file. Lines are gathered for a moment and written together. When the file's name means
    another file, as after logrotate has renamed it, that one is opened.

    @param clock: the reactor, or a C{Clock} in a test.
    @param name: of the file; L{STANDARD_OUTPUT} is what it says.
    @param line: makes the lines.
    @param interval: seconds that a line may wait.
    @param batch: so many lines do not wait.
    @param mostWaiting: bytes that wait while the file takes nothing; what is more is lost, and counted.
    @ivar lost: lines that were lost.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        name: str,
        line: Line,
        *,
        interval: float = 0.5,
        batch: int = 128,
        mostWaiting: int = 2**20,
    ) -> None:
        self._clock = clock
        self._name = name
        self._line = line
        self._interval = interval
        self._batch = batch
        self._mostWaiting = mostWaiting
        self._records: list[Record] = []
        self._waiting: deque[bytes] = deque()
        self._waitingSize = 0
        self._file: LogFile | None = None
        self._call: IDelayedCall | None = None
        self._losses = Tally(self.log, "lines of the access log lost", clock)

    @property
    def lost(self) -> int:
        return self._losses.total

    def startService(self) -> None:
        """
        Open the file.

        @raise CannotStart: that is not possible.
        """
        super().startService()  # type: ignore[no-untyped-call]
        try:
            self._file = LogFile(self._name)
        except OSError as error:
            raise CannotStart(f"--access-log: {self._name}: {error.strerror}") from error

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        self._cancel()
        self._write()
        left = sum(waiting.count(b"\n") for waiting in self._waiting)
        if left:
            self.log.warn("{lines} of the access log lost at the end", lines=counted(left, "line"))
        self._losses.flush()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def reload(self) -> None:
        """Write what is waiting, and open the file anew."""
        self._write()
        self._reopen()

    # Journal

    def ended(self, record: Record) -> None:
        """One more line."""
        if self._file is None:
            return
        self._records.append(record)
        if len(self._records) >= self._batch:
            self._write()
        elif self._call is None:
            self._call = self._clock.callLater(self._interval, self._timeToWrite)

    def _timeToWrite(self) -> None:
        self._call = None
        self._write()
        if self._file is not None and self._file.moved:
            self._reopen()
        if self._waiting:
            self._call = self._clock.callLater(self._interval, self._timeToWrite)

    def _cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _reopen(self) -> None:
        try:
            file = LogFile(self._name)
        except OSError as error:
            # What was open still is; better there than nowhere.
            self.log.error("the access log {name}: {why}", name=self._name, why=error.strerror)
            return
        before, self._file = self._file, file
        if before is not None:
            before.close()

    def _write(self) -> None:
        records, self._records = self._records, []
        if records:
            # In one go: a line made between any two requests costs four times as much of the processor.
            batch = "".join([self._line(record) for record in records]).encode("ascii")
            self._waiting.append(batch)
            self._waitingSize += len(batch)
        problem = self._writeWaiting()
        if problem and self._waitingSize > self._mostWaiting:
            self._lose(problem)

    def _writeWaiting(self) -> str:
        """Write as much as the file takes, and say why it does not take more."""
        if self._file is None:
            return "not open"
        while self._waiting:
            batch = self._waiting[0]
            try:
                taken = self._file.write(batch)
            except OSError as error:
                return error.strerror or "it can not be written"
            self._waitingSize -= taken
            if taken < len(batch):
                self._waiting[0] = batch[taken:]
                return "nobody reads it"
            self._waiting.popleft()
        return ""

    def _lose(self, why: str) -> None:
        """Give up the newest batches until the rest is within its bound; the oldest may be half written."""
        while self._waitingSize > self._mostWaiting and len(self._waiting) > 1:
            batch = self._waiting.pop()
            self._waitingSize -= len(batch)
            self._losses.add(why, batch.count(b"\n"))
