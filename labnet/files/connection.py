"""
One client of the folder, whatever protocol it speaks: files are sent, uploads taken, one thing at a time.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.files.access import Access
from labnet.files.digests import Digests
from labnet.files.pace import Pace
from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import Incoming, Store, StoredFile
from labnet.files.wire import Stored
from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logins import InThread
from labnet.net.logs import shown
from labnet.net.sendfile import FileShrank, FileTransfer
from labnet.net.sockets import SocketOptions

__all__ = ["FilesConnection", "FilesFactory", "Shelf"]

#: A peer that moves fewer bytes than this in the whole idle time is idle.
_WORTH = 64 * 1024
#: Things a connection did that its line in the log names; the others are counted.
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    What the listeners of one file server share.

    @ivar store: the folder.
    @ivar access: who may write into it.
    @ivar digests: of its files.
    @ivar inThread: what takes a while goes there.
    @ivar rate: bytes a second for each connection, each way; 0: as fast as it goes.
    @ivar replace: whether writers may replace files.
    """

    store: Store
    access: Access
    digests: Digests
    inThread: InThread
    rate: float = 0.0
    replace: bool = True


class FilesConnection(LingeringConnection):
    """
    One client of the folder, in whatever protocol: sends files, takes uploads, one thing at a time.

    A subclass keeps what it hears, calls L{proceed}, and says in L{advance} what comes next.
    """

    #: An upload that is refused may be large, and its sender does not look up before the end.
    longestRest: ClassVar[int] = 1 << 30

    factory: FilesFactory

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self.shelf = shelf
        self._didFirst: list[str] = []
        self._didInAll = 0
        self._out = Pace(shelf.rate)
        self._in = Pace(shelf.rate)
        self._moved = 0
        self._transfer: FileTransfer | None = None
        self._work: Deferred[None] | None = None
        self._keeping = False
        self._proceeding = False
        self._allHeard = False
        self._slow: IDelayedCall | None = None
        self._incoming: Incoming | None = None

    def advance(self) -> bool:
        """
        Nothing is under way: do the next thing that has come, if there is one.

        @return: whether there was one, so that there may be another.
        """
        raise NotImplementedError

    def refused(self, refusal: Refusal) -> None:
        """What was under way is refused."""
        raise NotImplementedError

    @property
    def working(self) -> bool:
        """Whether something is under way that has to wait for something else than the peer."""
        return self._work is not None

    @property
    def busy(self) -> bool:
        return self.working or self._incoming is not None

    def inputEnded(self) -> None:
        self._allHeard = True
        self.proceed()

    def outputDrained(self) -> None:
        super().outputDrained()
        self.proceed()

    def summary(self) -> str:
        more = self._didInAll - len(self._didFirst)
        did = ", ".join(self._didFirst) + (f" and {more} more" if more else "")
        return f"{did or 'nothing'}, {super().summary()}"

    def did(self, what: str) -> None:
        """Something is done. The log has the first few, and how many there were: it may go on for days."""
        self._didInAll += 1
        if len(self._didFirst) < _MOST_TOLD:
            self._didFirst.append(what)

    # One thing after another.

    def proceed(self) -> None:
        """Do what can be done now. Who does not read the answers gets no more of them made."""
        if self._proceeding:
            return
        self._proceeding = True
        try:
            while not self.working and not self.over and not self.held("output") and self._step():
                pass
        finally:
            self._proceeding = False
        if self.working:
            self.hold("working")
            return
        self.release("working")
        if self.held("output"):
            return
        if self._allHeard:
            self.close("closed in the middle of a message" if self.busy else "closed by the peer")
        else:
            self.progressed()

    @property
    def over(self) -> bool:
        """Whether there is nothing more to be said."""
        return self._closing or self.lingering

    def _step(self) -> bool:
        try:
            return self.advance()
        except Refusal as refusal:
            self.refused(refusal)
            return True

    def work(self, doing: Coroutine[Deferred[Any], Any, None]) -> None:
        """Do this, and nothing else until it is done."""
        self._work = running = Deferred.fromCoroutine(doing)
        running.addBoth(self._worked).addErrback(self._bug)

    def _worked(self, result: object) -> None:
        self._work = None
        if isinstance(result, Failure):
            if result.check(CancelledError, ConnectionLost, ConnectionDone):
                return  # The connection is gone, even if nobody has told us yet.
            self.troubled(result)
        if not self._closing:
            self._guarded(self.proceed)

    def _bug(self, failure: Failure) -> None:
        self.factory.log.failure("a bug in connection {id}", failure, id=self.connectionId)
        self.drop("a bug in this service")

    def troubled(self, failure: Failure) -> None:
        """What was under way has failed, and the connection has not."""
        problem = failure.value
        if isinstance(problem, Refusal):
            if not self._closing:
                self.refused(problem)
        elif isinstance(problem, (FileShrank, OSError)):
            self.drop(f"the file can not be sent ({problem})")
        else:
            failure.raiseException()

    async def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        await deferLater(self.factory.clock, seconds)

    # Sending

    async def send(self, stored: StoredFile, offset: int, count: int) -> None:
        """
        Send a piece of a file, and be done when the last byte has been taken.

        @raise FileShrank: it is not there any more.
        """
        # From now on the transfer is told when the transport is full, or not any more.
        self._unregister()
        self.release("output")
        clock = self.factory.clock
        transfer = self._transfer = FileTransfer(
            clock,
            self.transport,
            stored.descriptor,
            offset,
            count,
            sent=self._sent,
            pace=lambda amount: self._out.delay(amount, clock.seconds()),
            most=self._out.most,
        )
        try:
            await transfer.start()
        finally:
            self._transfer = None
        if not self._closing:
            self._isProducer = True
            self.transport.registerProducer(self, True)

    def _sent(self, amount: int) -> None:
        self.bytesOut += amount
        self._count(amount)

    def _count(self, amount: int) -> None:
        """Something moves: that is not idleness, unless it is next to nothing."""
        self._moved += amount
        if self._moved >= min(_WORTH, self.shelf.rate or _WORTH):
            self._moved = 0
            self.touch()

    # Receiving

    def begin(self, name: bytes | str, size: int | None, replace: bool) -> None:
        """
        Begin an upload.

        @raise Refusal: it can not be taken.
        """
        self._incoming = self.shelf.store.begin(name, size, replace=replace and self.shelf.replace)

    def take(self, content: bytes) -> None:
        """
        A piece of it has come.

        @raise Refusal: it can not be taken, and is over.
        """
        assert self._incoming is not None
        self._count(len(content))
        try:
            self._incoming.write(content)
        except Refusal:
            self.abandon()
            raise
        wait = self._in.delay(len(content), self.factory.clock.seconds())
        if wait and self._slow is None:
            self.hold("rate")
            self._slow = self.factory.clock.callLater(wait, self._released)

    def _released(self) -> None:
        self._slow = None
        self.release("rate")

    async def keep(self, sha256: str | None = None, mtime: float | None = None) -> Stored:
        """
        The upload is complete: check it, bring it to the disk, and let it appear.

        @raise Refusal: it is not what was announced, or can not stand there.
        """
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        # What has come whole is kept, even if nobody waits any more to hear of it.
        self._keeping = True
        try:
            if sha256 is not None and incoming.sha256 != sha256:
                raise Refusal(Trouble.DAMAGED, "the digest does not fit: the file was damaged on its way")
            await self.shelf.inThread(lambda: incoming.sync(mtime))
            incoming.publish()
            self.did(f"took {shown(incoming.name)}")
            await self.shelf.inThread(incoming.syncFolder)
            return Stored(incoming.name, incoming.received, incoming.sha256)
        finally:
            self._keeping = False
            incoming.close()

    def abandon(self) -> None:
        """There will be no more of the upload; nothing of it stays."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.close()

    def ended(self, reason: Failure) -> None:
        self.abandon()
        if self._slow is not None and self._slow.active():
            self._slow.cancel()
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.stop()
        work, self._work = self._work, None
        if work is not None and not self._keeping:
            work.cancel()


class FilesFactory(LingeringFactory):
    """
    A file server on one listener.

    @param clock: the reactor, or a C{Clock} in a test.
    @param shelf: the folder, and what belongs to it.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "files"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        shelf: Shelf,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.shelf = shelf
