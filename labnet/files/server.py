"""
The file server in the course's protocol and in the framed one; over HTTP it is L{labnet.files.web}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from labnet.files.connection import FilesConnection, FilesFactory, Shelf
from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import StoredFile
from labnet.files.wire import (
    COURSE_FOUND,
    COURSE_NOT_FOUND,
    FileHead,
    FramedReader,
    Get,
    Head,
    List,
    Listing,
    Put,
    Ready,
    Request,
    encodeHead,
    parseRequest,
)
from labnet.net.framing import MessageTooLong
from labnet.net.limits import Limits
from labnet.net.logs import shown
from labnet.net.sockets import SocketOptions

__all__ = ["CourseConnection", "CourseFactory", "FramedConnection", "FramedFactory"]

#: Files in one answer to a C{list}.
_PAGE = 500


# The course's protocol


class CourseConnection(FilesConnection):
    """
    One client of the course's protocol: a name comes; C{OK}, the size and the bytes go, or C{NOT_FOUND}.

    A name has no end. It is what came before a quiet time, a line feed, or the end of the client's half.

    @param quiet: seconds without a byte that end a name.
    @param pause: seconds between C{OK}, the size and the first byte: the course's client takes what one
        read gives it for the size.
    """

    #: The course's servers read so much of a name.
    LONGEST = 1_024

    def __init__(self, shelf: Shelf, quiet: float, pause: float) -> None:
        super().__init__(shelf)
        self._quiet = quiet
        self._pause = pause
        self._name = b""
        self._complete = False
        self._silence: IDelayedCall | None = None

    def started(self) -> None:
        # Each of the three writes has to be a segment of its own, whatever the options say.
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)

    def received(self, data: bytes) -> None:
        if self.working or self._complete:
            return  # Nothing comes after the name.
        self._stopWaiting()
        self._name += data
        if b"\n" in data or len(self._name) > self.LONGEST:
            self._named()
        else:
            self._silence = self.factory.clock.callLater(self._quiet, self._guarded, self._named)

    def inputEnded(self) -> None:
        if self._name and not self._complete:
            self._allHeard = True
            self._named()
        else:
            super().inputEnded()

    def _named(self) -> None:
        self._stopWaiting()
        self._complete = True
        self.proceed()

    def _stopWaiting(self) -> None:
        silence, self._silence = self._silence, None
        if silence is not None and silence.active():
            silence.cancel()

    @property
    def busy(self) -> bool:
        return bool(self._name) and not self.over

    def advance(self) -> bool:
        if not self._complete:
            return False
        name = self._name.partition(b"\n")[0].removesuffix(b"\r")
        self.work(self._give(self.shelf.store.open(name)))
        return False

    async def _give(self, stored: StoredFile) -> None:
        try:
            self.write(COURSE_FOUND)
            await self.wait(self._pause)
            self.write(b"%d" % stored.size)
            await self.wait(self._pause)
            await self.send(stored, 0, stored.size)
        finally:
            stored.close()
        self.did(f"gave {shown(stored.name)}")
        self.endWith(b"", "served")

    def refused(self, refusal: Refusal) -> None:
        self.did(f"refused {shown(self._name)}")
        self.endWith(COURSE_NOT_FOUND, str(refusal))

    def ended(self, reason: Failure) -> None:
        self._stopWaiting()
        super().ended(reason)


class CourseFactory(FilesFactory):
    """
    The course's file server; C{quiet} and C{pause} are L{CourseConnection}'s, the others L{FilesFactory}'s.
    """

    def __init__(
        self,
        clock: IReactorTime,
        shelf: Shelf,
        *,
        quiet: float = 0.02,
        pause: float = 0.02,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, shelf, limits=limits, sockets=sockets)
        self._quiet = quiet
        self._pause = pause

    def build(self) -> CourseConnection:
        return CourseConnection(self.shelf, self._quiet, self._pause)


# The framed protocol


class FramedConnection(FilesConnection):
    """
    One client of the framed protocol: any number of requests, answered in order.
    """

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self._reader = FramedReader()
        self._announced: Put | None = None

    def received(self, data: bytes) -> None:
        self._reader.feed(data)
        self.proceed()

    @property
    def busy(self) -> bool:
        return super().busy or self._reader.pending

    def advance(self) -> bool:
        if self._announced is not None:
            return self._takeMore(self._announced)
        try:
            head = self._reader.head()
        except MessageTooLong as problem:
            self.endWith(encodeHead(Refusal(Trouble.BAD_REQUEST, str(problem))), str(problem))
            return False
        if head is not None:
            self._start(parseRequest(head))
        return head is not None

    def _start(self, request: Request) -> None:
        match request:
            case Get():
                self.work(self._get(request))
            case Put():
                self.work(self._put(request))
            case List(after):
                entries, more = self.shelf.store.listing(after, _PAGE)
                self.did("listed")
                self._say(Listing(tuple(entries), more))

    def _say(self, head: Head) -> None:
        self.write(encodeHead(head))
        self.touch()

    def refused(self, refusal: Refusal) -> None:
        self.did(f"refused ({refusal})")
        if self._announced is not None:
            # Its bytes are on their way, and nobody can tell them from the next request.
            self._announced = None
            self.endWith(encodeHead(refusal), str(refusal))
        else:
            self._say(refusal)

    async def _get(self, request: Get) -> None:
        stored = self.shelf.store.open(request.name)
        try:
            if request.offset > stored.size:
                raise Refusal(Trouble.BAD_OFFSET, f"the file has {stored.size} bytes")
            sha256 = await self.shelf.digests.of(stored)
            self._say(FileHead(stored.name, request.offset, stored.size, sha256, stored.mtime))
            await self.send(stored, request.offset, stored.size - request.offset)
        finally:
            stored.close()
        self.touch()
        self.did(f"gave {shown(stored.name)}")

    async def _put(self, request: Put) -> None:
        await self.shelf.access.login(self.host, request.user, request.password)
        self.begin(request.name, request.size, request.replace)
        self._announced = request
        self._reader.expect(request.size)
        self._say(Ready())

    def _takeMore(self, announced: Put) -> bool:
        content = self._reader.content()
        if content:
            self.take(content)
        if not self._reader.contentLeft:
            self._announced = None
            self.work(self._keepIt(announced))
            return True
        return False

    async def _keepIt(self, announced: Put) -> None:
        self._say(await self.keep(announced.sha256, announced.mtime))


class FramedFactory(FilesFactory):
    """The framed file server; its parameters are L{FilesFactory}'s."""

    def build(self) -> FramedConnection:
        return FramedConnection(self.shelf)
