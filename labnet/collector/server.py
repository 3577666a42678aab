"""
The collector's server.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.collector.wire import Bounds, Collection, Piece, Pool
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import DatagramLimits, Limits, RateLimit
from labnet.net.logs import counted, shown
from labnet.net.sockets import SocketOptions

__all__ = ["CollectorFactory", "CollectorProtocol", "appendTo", "openToAppend"]

# Lines about pieces a second that go into the log, over all connections; the others are counted.
_LINES = DatagramLimits(perSource=0, total=100)


class CollectorProtocol(ServiceConnection):
    """
    One client: its pieces are kept until its stream ends, then given to the factory.

    @param pool: what all connections share.
    """

    factory: CollectorFactory

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.collection = Collection(pool)

    def received(self, data: bytes) -> None:
        self.touch()
        after = self.factory.clock.seconds() - self.openedAt
        problem = self.collection.add(Piece(after, data))
        if problem is not None:
            self.drop(problem)

    def inputEnded(self) -> None:
        self.close("closed by the peer")

    def ended(self, reason: Failure) -> None:
        self.factory.collected(self)
        self.collection.release()

    @property
    def busy(self) -> bool:
        # What has come is the beginning of something, until the stream ends.
        return bool(self.collection.pieces)

    def summary(self) -> str:
        pieces = counted(len(self.collection.pieces), "piece")
        return f"{pieces}, {counted(self.collection.size, 'byte')} kept"


class CollectorFactory(ServiceFactory):
    """
    Collects what comes, and tells it when a stream ends, however it does: in the log, a line for each
    piece, and to whoever wants to know.

    @param clock: the reactor, or a C{Clock} in a test.
    @param bounds: how much is kept.
    @param show: how many pieces of a connection get a line in the log.
    @param keep: is given each collection that is not empty when its stream has ended.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "collector"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bounds: Bounds | None = None,
        *,
        show: int = 20,
        keep: Callable[[Collection], None] | None = None,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.pool = Pool(bounds or Bounds())
        self.show = show
        self._keep = keep
        self._lines = RateLimit(_LINES)

    def build(self) -> CollectorProtocol:
        return CollectorProtocol(self.pool)

    def collected(self, connection: CollectorProtocol) -> None:
        """The stream of a connection has ended."""
        collection = connection.collection
        self._tell(connection.connectionId, collection.pieces)
        if self._keep is not None and collection.pieces:
            try:
                self._keep(collection)
            except OSError as error:
                self.log.error(
                    "collector #{id}: {size} bytes are not written: {problem}",
                    id=connection.connectionId,
                    size=collection.size,
                    problem=error.strerror or str(error),
                )

    def _tell(self, number: int, pieces: list[Piece]) -> None:
        now = self.clock.seconds()
        for at, piece in enumerate(pieces, start=1):
            if at > self.show or not self._lines.admits("", now):
                self.log.info("collector #{id}: and {rest} more", id=number, rest=len(pieces) - at + 1)
                break
            self.log.info(
                "collector #{id} piece {at} after {after:.3f} s, {counted}: {data}",
                id=number,
                at=at,
                after=piece.after,
                size=len(piece.data),
                counted=counted(len(piece.data), "byte"),
                data=shown(piece.data),
            )


def openToAppend(path: str) -> int:
    """
    Open a file to be appended to, and return its descriptor.

    @raise OSError: it can not be opened, or is something else than a file: a pipe would make everybody
        wait for its reader.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def appendTo(path: str) -> Callable[[Collection], None]:
    """
    What appends each collection to a file, as a whole or not at all; for L{CollectorFactory}'s C{keep}.
    """

    def append(collection: Collection) -> None:
        descriptor = openToAppend(path)
        try:
            before = os.fstat(descriptor).st_size
            rest = memoryview(collection.data)
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    return append
