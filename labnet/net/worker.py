"""
One of several processes that serve together: what L{labnet.net.workers} starts.

    python -m labnet.net.worker NUMBER REACTOR TAP FOLDER SOCKETS [OPTIONS]

Descriptor 0 is a pipe to which nothing is written: when it ends, the supervisor has, and so does this.
Into descriptor 3 go lines of JSON: C{{"ready": true}}, then C{{"alive": true}} every few seconds, and what
would go into the log. Descriptor 4 is the memory of L{labnet.net.sharing}. The sockets to serve follow
from 5 on.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from select import select
from typing import Any

from twisted.application.service import IService
from twisted.internet.abstract import FileDescriptor
from twisted.internet.fdesc import readFromFD, setNonBlocking, writeToFD
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogBeginner
from twisted.python.failure import Failure
from twisted.python.reflect import namedModule
from twisted.python.usage import UsageError
from zope.interface import implementer

from labnet.net.logs import jsonLogObserver
from labnet.net.options import globalReactor

__all__ = ["BEAT", "CHANNEL", "LIFELINE", "SHARED", "SOCKETS", "Channel", "Lifeline", "Outlet", "main"]

LIFELINE = 0
CHANNEL = 3
SHARED = 4
SOCKETS = 5
#: Seconds between two signs of life.
BEAT = 5.0

#: Bytes of the log that wait for a supervisor that is slow to write it; beyond that lines are left out.
_MOST_WAITING = 2**20
#: Seconds that the last of them get when the process ends.
_LAST_WORDS = 2.0


class Channel(FileDescriptor):
    """
    Writes lines to the supervisor, as many as it takes: this process never waits for it.

    @param reactor: a reactor of descriptors.
    @param descriptor: the pipe.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        super().__init__(reactor)
        self._descriptor = descriptor
        self._waiting = 0
        self._left = 0
        self.connected = 1
        setNonBlocking(descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str | bytes) -> None:
        data = text.encode("utf-8") if isinstance(text, str) else text
        if not self.connected:
            return
        if self._waiting + len(data) > _MOST_WAITING:
            self._left += 1
            return
        if self._left:
            left, self._left = self._left, 0
            self.write(f'{{"level": "warn", "text": "{left} lines of the log are left out"}}\n')
        self._waiting += len(data)
        super().write(data)

    def beat(self) -> None:
        """Give a sign of life, unless what waits is one."""
        if not self._waiting:
            self.write('{"alive": true}\n')

    def writeSomeData(self, data: bytes) -> int | Exception:
        written: int | Exception = writeToFD(self._descriptor, data)
        if isinstance(written, int) and written > 0:
            self._waiting -= written
        return written

    def flush(self) -> None:
        """Nothing waits here for being flushed; the reactor writes when the pipe takes it."""

    def finish(self) -> None:
        """The reactor runs no more: write what waits, as long as the supervisor reads it."""
        while self._waiting and self.connected and select([], [self], [], _LAST_WORDS)[1]:
            if self.doWrite() is CONNECTION_LOST:  # type: ignore[no-untyped-call]
                break

    def connectionLost(self, reason: Failure) -> None:
        """Nobody listens: what is said from here on is lost."""
        self._waiting = 0
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class Lifeline(FileDescriptor):
    """
    Notices that the supervisor has gone, in whatever way.

    @param ended: called once then.
    """

    def __init__(self, reactor: Any, descriptor: int, ended: Callable[[], object]) -> None:
        super().__init__(reactor)
        self._descriptor = descriptor
        self._ended = ended
        self.connected = 1
        setNonBlocking(descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> Exception | None:
        ended: Exception | None = readFromFD(self._descriptor, lambda data: None)
        return ended

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self._ended()


@implementer(ILogObserver)
class Outlet:
    """
    What goes into the log of a worker: until it serves, only what is wrong, for the rest its supervisor has
    said already.

    @ivar serving: whether it does.
    """

    def __init__(self, channel: Channel) -> None:
        self.serving = False
        self._observe = jsonLogObserver(channel)  # type: ignore[arg-type]

    def __call__(self, event: LogEvent) -> None:
        if self.serving or event.get("log_level", LogLevel.info) >= LogLevel.warn:
            self._observe(event)


class _Process:
    """
    This process, while its reactor runs.

    @param service: what it serves.
    """

    def __init__(self, reactor: Any, service: IService, channel: Channel, outlet: Outlet) -> None:
        self._reactor = reactor
        self._service = service
        self._channel = channel
        self._outlet = outlet
        self._stopping = False

    def run(self) -> None:
        """Serve until told to stop, or until there is nobody left to tell."""
        reactor, service = self._reactor, self._service
        service.privilegedStartService()
        service.startService()
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        reactor.callWhenRunning(self._serves)
        self._on(signal.SIGTERM, self.stop)
        # A service that does not reload must survive to be told.
        self._on(signal.SIGHUP, getattr(service, "reload", lambda: None))
        reactor.addReader(Lifeline(reactor, LIFELINE, self.stop))
        # Without Twisted's own handlers: a second SIGTERM is no mistake here. A supervisor above ours may
        # send one to each process.
        reactor.run(installSignalHandlers=False)

    def stop(self) -> None:
        """Finish what is under way, then end."""
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()

    def _serves(self) -> None:
        self._channel.write('{"ready": true}\n')
        self._outlet.serving = True
        beating = LoopingCall(self._channel.beat)
        beating.clock = self._reactor
        beating.start(BEAT, now=False)

    def _on(self, number: int, call: Callable[[], object]) -> None:
        signal.signal(number, lambda number, frame: self._reactor.callFromThread(call))


def main(arguments: Sequence[str]) -> None:
    """
    Serve.

    @param arguments: see the head of this module.
    @raise SystemExit: it can not, with the reason.
    """
    # Ctrl-C reaches every process of a terminal; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number, reactorModule, tapName, folder, sockets, *given = arguments
    namedModule(reactorModule).install()
    reactor = globalReactor()
    channel = Channel(reactor, CHANNEL)
    outlet = Outlet(channel)
    globalLogBeginner.beginLoggingTo([outlet], redirectStandardIO=False)
    tap = namedModule(tapName)
    options = tap.Options()
    options.inherited = range(SOCKETS, SOCKETS + int(sockets))
    options.memory = (SHARED, int(number) - 1)
    here = os.getcwd()
    try:
        with suppress(OSError):
            # Files are named as seen from where the command was given; twistd has a --rundir.
            os.chdir(folder)
        options.parseOptions(given)
    except UsageError as error:
        raise SystemExit(str(error)) from error
    finally:
        os.chdir(here)
    try:
        _Process(reactor, tap.makeService(options), channel, outlet).run()
    finally:
        channel.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
