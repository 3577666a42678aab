"""
The file client: the course's protocol, and the framed one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from typing import Protocol as Interface

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from labnet.files.refusal import Refusal, Trouble
from labnet.files.wire import (
    CourseReader,
    Entry,
    FileHead,
    FramedReader,
    Get,
    Head,
    List,
    Listing,
    NotUnderstood,
    Put,
    Ready,
    Stored,
    encodeHead,
    parseReply,
)
from labnet.net.connection import Transport
from labnet.net.framing import MessageTooLong
from labnet.net.sendfile import FileTransfer

__all__ = ["Damaged", "FilesClient", "FilesClientFactory", "Sink", "Source", "fetchCourse"]

_PIECE = 1024 * 1024
#: Files that a server may list: one that never ends its list is not to fill our memory.
_MOST_LISTED = 1_000_000

_Reply = TypeVar("_Reply", Listing, FileHead, Ready, Stored)

#: Told how many bytes are there, and how many there will be if that is known.
Reached = Callable[[int, "int | None"], object]


class Damaged(Exception):
    """What came is not what the server has: the digests differ."""


class Sink(Interface):
    """Where what is fetched goes; L{labnet.files.saving.Saving} is one."""

    size: int

    @property
    def sha256(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    def putInFront(self, data: bytes) -> None: ...

    def restart(self) -> None: ...


def _nothing(done: int, total: int | None) -> None:
    pass


class _Timed(Protocol):
    """A connection that fails when nothing happens on it for C{timeout} seconds."""

    transport: Transport

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self._movedAt = 0.0
        self._lost: Failure | None = None

    def watch(self) -> None:
        """Begin to watch."""
        self._movedAt = self._clock.seconds()
        if self._timer is None and self._lost is None:
            self._timer = self._clock.callLater(self._timeout, self._look)

    def moved(self, amount: int = 0) -> None:
        """Something happened."""
        self._movedAt = self._clock.seconds()

    def unwatch(self) -> None:
        """Whatever was waited for is there."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _look(self) -> None:
        self._timer = None
        left = self._movedAt + self._timeout - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
        else:
            self.giveUp(Failure(TimeoutError(string=f"nothing happened for {self._timeout:g} s")))

    def giveUp(self, reason: Failure) -> None:
        """It has failed, for this reason: end the connection and tell whoever waits."""
        self.unwatch()
        if self._lost is None:
            self._lost = reason
            self.transport.abortConnection()
            self.failed(reason)

    def failed(self, reason: Failure) -> None:
        """Whoever waits is told."""
        raise NotImplementedError

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        self.unwatch()
        if self._lost is None:
            self._lost = reason
            self.failed(reason)


# The course's protocol


class CourseFetch(_Timed):
    """
    Asks a server of the course for one file, and reads to the end of the stream.

    @ivar done: fires with the size; fails with L{Refusal}, L{NotUnderstood}, what the sink raises, or
        what ended the connection.
    """

    def __init__(
        self, clock: IReactorTime, name: bytes, sink: Sink, timeout: float, reached: Reached = _nothing
    ) -> None:
        super().__init__(clock, timeout)
        self._name = name
        self._sink = sink
        self._reached = reached
        self._reader = CourseReader()
        self.done: Deferred[int] = Deferred(lambda _: self.giveUp(Failure(ConnectionLost())))

    def connectionMade(self) -> None:
        self.watch()
        self.transport.write(self._name)

    def dataReceived(self, data: bytes) -> None:
        if self._lost is not None:
            return
        self.moved()
        try:
            self._sink.write(self._reader.feed(data))
        except Exception:
            # It is not understood, or the sink does not take it.
            self.giveUp(Failure())
        else:
            self._reached(self._sink.size, self._reader.expected)

    def failed(self, reason: Failure) -> None:
        if self.done.called:
            return
        if not reason.check(ConnectionDone):
            self.done.errback(reason)
            return
        try:
            size, front = self._reader.end()
            self._sink.putInFront(front)
        except Exception:
            # As above; and whatever else it is, whoever waits is told.
            self.done.errback(Failure())
        else:
            self.done.callback(size)


if TYPE_CHECKING:
    _Factory = Factory[Protocol]
else:
    _Factory = Factory


class _OneFactory(_Factory):
    """Gives the one protocol it was given."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._protocol


async def fetchCourse(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    name: str,
    sink: Sink,
    *,
    timeout: float = 30.0,
    reached: Reached = _nothing,
) -> int:
    """
    Get a file from a server of the course.

    @param name: of the file; it is sent as it is.
    @param sink: where its bytes go.
    @param timeout: seconds in which nothing happens.
    @param reached: told how far it is.
    @return: its size.
    @raise Refusal: there is no such file.
    @raise NotUnderstood: the answer makes no sense, or was cut off.
    """
    fetch = CourseFetch(clock, name.encode("utf-8"), sink, timeout, reached)
    await endpoint.connect(_OneFactory(fetch))
    return await fetch.done


# The framed protocol


class Source:
    """
    A file that is to be sent.

    @param path: where it is.
    @raise OSError: it can not be opened, or is no file.
    """

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self.descriptor)
            raise OSError(f"{path} is not a file")
        self.size = status.st_size
        self.mtime = status.st_mtime

    def digest(self) -> str:
        """The SHA-256 of its bytes: takes as long as it takes to read them."""
        digest = hashlib.sha256()
        at = 0
        while at < self.size:
            piece = os.pread(self.descriptor, min(_PIECE, self.size - at), at)
            if not piece:
                break
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class FilesClient(_Timed):
    """
    A connection to a framed file server; one request at a time.
    """

    def __init__(self, clock: IReactorTime, timeout: float = 30.0) -> None:
        super().__init__(clock, timeout)
        self._reader = FramedReader()
        self._waiting: Deferred[object] | None = None
        self._sink: Sink | None = None
        self._reached: Reached = _nothing
        self._total = 0
        self._take: Callable[[], object] = self._takeReply

    async def list(self, after: str = "") -> tuple[Entry, ...]:
        """
        All files whose names come after C{after}.

        @raise Refusal: the server refuses.
        @raise NotUnderstood: the list has no end, or stands still.
        """
        entries: list[Entry] = []
        while True:
            listing = await self._ask(List(after), Listing)
            entries += listing.entries
            if not listing.more or not listing.entries:
                return tuple(entries)
            if listing.entries[-1].name <= after:
                raise NotUnderstood("the list does not go on")
            if len(entries) > _MOST_LISTED:
                raise NotUnderstood(f"the list has more than {_MOST_LISTED:,} files")
            after = listing.entries[-1].name

    async def get(self, name: str, sink: Sink, reached: Reached = _nothing) -> FileHead:
        """
        Get a file, from where the sink ends by now. When it turns out that what was there before does not
        belong to it, it is fetched anew, once.

        @param reached: told how far it is.
        @return: what the server says about it.
        @raise Refusal: the server refuses.
        @raise Damaged: what came is not what it has.
        """
        resumed = sink.size > 0
        try:
            head = await self._get(name, sink, reached)
        except Refusal as refusal:
            if refusal.trouble is not Trouble.BAD_OFFSET or not resumed:
                raise
            head = None
        if head is not None and sink.sha256 == head.sha256:
            return head
        sink.restart()
        if resumed:
            head = await self._get(name, sink, reached)
            if sink.sha256 == head.sha256:
                return head
            sink.restart()
        raise Damaged("the digest does not fit: the file was damaged on its way")

    async def _get(self, name: str, sink: Sink, reached: Reached) -> FileHead:
        offset = sink.size
        head = await self._ask(Get(name, offset), FileHead)
        if head.offset != offset:
            raise NotUnderstood("the server begins at another offset")
        self._total = head.size
        self._reader.expect(head.size - offset)
        self._sink, self._reached = sink, reached
        reached(offset, head.size)
        try:
            await self._wait(self._takeContent)
        finally:
            self._sink = None
        return head

    async def put(
        self,
        source: Source,
        name: str,
        sha256: str,
        *,
        user: str = "",
        password: str = "",
        replace: bool = False,
        reached: Reached = _nothing,
    ) -> Stored:
        """
        Store a file.

        @param sha256: its digest (L{Source.digest}).
        @return: what the server has on its disk.
        @raise Refusal: the server refuses.
        """
        announced = Put(name, source.size, sha256, source.mtime, replace, user, password)
        await self._ask(announced, Ready)
        done = 0

        def sent(amount: int) -> None:
            nonlocal done
            done += amount
            self.moved()
            reached(done, source.size)

        transfer = FileTransfer(self._clock, self.transport, source.descriptor, 0, source.size, sent=sent)
        transfer.start().addErrback(self._notSent)
        try:
            # It may come while we are still sending, when the server has heard enough.
            stored = await self._wait(self._takeReply)
        finally:
            transfer.stop()
        return self._expected(stored, Stored)

    def _notSent(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self.giveUp(failure)

    def close(self) -> None:
        """End the connection."""
        self.transport.loseConnection()

    # How questions go out and answers come in.

    async def _ask(self, request: Head, kind: type[_Reply]) -> _Reply:
        if self._lost is not None:
            self._lost.raiseException()
        self.transport.write(encodeHead(request))
        return self._expected(await self._wait(self._takeReply), kind)

    def _expected(self, reply: object, kind: type[_Reply]) -> _Reply:
        if isinstance(reply, kind):
            return reply
        problem = NotUnderstood(f"an answer to another question: {type(reply).__name__}")
        self.giveUp(Failure(problem))
        raise problem

    def _wait(self, take: Callable[[], object]) -> Deferred[object]:
        """
        Wait until C{take} returns something, or raises.
        """
        self._take = take
        self.watch()
        waiting = self._waiting = Deferred(lambda _: self.giveUp(Failure(ConnectionLost())))
        self._tryAnswer()
        return waiting

    def _tryAnswer(self) -> None:
        if self._waiting is None:
            return
        try:
            result = self._take()
        except Refusal:
            self._answer(Failure())
        except Exception:
            # It is not understood, or the sink does not take it.
            self.giveUp(Failure())
        else:
            if result is not None:
                self._answer(result)

    def _answer(self, result: object) -> None:
        self.unwatch()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(result)

    def _takeReply(self) -> object:
        try:
            head = self._reader.head()
        except MessageTooLong as error:
            raise NotUnderstood(str(error)) from error
        return parseReply(head) if head is not None else None

    def _takeContent(self) -> object:
        assert self._sink is not None
        content = self._reader.content()
        if content:
            self._sink.write(content)
            self._reached(self._sink.size, self._total)
        return None if self._reader.contentLeft else True

    def dataReceived(self, data: bytes) -> None:
        if self._lost is None:
            self.moved()
            self._reader.feed(data)
            self._tryAnswer()

    def failed(self, reason: Failure) -> None:
        self._answer(reason)


class FilesClientFactory(_Factory):
    """
    Builds clients of a framed file server; its parameters are L{FilesClient}'s.

    C{endpoint.connect(FilesClientFactory(reactor))} gives a L{FilesClient}.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, timeout: float = 30.0) -> None:
        self._clock = clock
        self._timeout = timeout

    def buildProtocol(self, addr: IAddress | None) -> FilesClient:
        return FilesClient(self._clock, self._timeout)
