"""
A piece of a file, sent over a connection.

Over plain TCP the kernel copies it from the file to the socket (C{os.sendfile}), and it never passes
through this process. Where there is no such way (TLS, a UNIX socket behind a wrapper, a transport in
memory, a file system without it) it is read and written in pieces. Either way no more is taken from the
file than the connection takes, so a slow reader costs nothing but its socket's buffer.

This looks at attributes of Twisted's transports that are not documented; L{labnet.net.direct.SUPPORTED}
says whether they are there, and where they are not the pieces are used.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPullProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.direct import SUPPORTED

__all__ = ["FileShrank", "FileTransfer"]

#: The kernel is asked for at most so much at a time, and sends what the socket has room for.
_AT_ONCE = 8 * 1024 * 1024
#: What is read and written at a time where the kernel can not do it alone.
_PIECE = 256 * 1024
#: What one connection sends before the others have their turn.
_TURN = 8 * 1024 * 1024

_FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)
_NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class FileShrank(Exception):
    """The file ended before everything that was promised of it had been read."""


@implementer(IPullProducer)
class FileTransfer:
    """
    Sends C{count} bytes of an open file, from C{offset} on, after what was written before. The descriptor
    stays the caller's: its position is not used, and it must stay open until L{done} has fired.

    While it runs, it is the transport's producer, and nothing else may be written.

    @param transport: where to; nobody else may be its producer at that time.
    @param sent: called with each number of bytes that the system, or the transport, has taken.
    @param pace: told each number, too; it returns the seconds to wait before the next, to keep a rate.
    @param most: bytes that are sent before C{pace} is asked.
    @ivar done: fires when the last byte is taken; fails with L{FileShrank}, with C{OSError} when the file
        can not be read, or with C{ConnectionLost} when the connection, or L{stop}, came before.
    """

    def __init__(
        self,
        clock: IReactorTime,
        transport: IConsumer,
        descriptor: int,
        offset: int,
        count: int,
        *,
        sent: Callable[[int], object] = lambda amount: None,
        pace: Callable[[int], float] = lambda amount: 0.0,
        most: int = _AT_ONCE,
    ) -> None:
        self._clock = clock
        self._transport: Any = transport
        self._descriptor = descriptor
        self._offset = offset
        self._left = count
        self._sent = sent
        self._pace = pace
        self._most = max(1, min(most, _AT_ONCE))
        self._wait: IDelayedCall | None = None
        self._registered = False
        self._ended = False
        self._direct = SUPPORTED and hasattr(os, "sendfile")
        self.done: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """
        Begin.

        @return: L{done}
        """
        if self._left:
            self._register()
        else:
            self._end(None)
        return self.done

    def stop(self) -> None:
        """Send no more; C{done} fails unless it has fired."""
        self._end(Failure(ConnectionLost("the transfer was stopped")))

    # IPullProducer: the transport asks for more when it has sent everything it had.

    def resumeProducing(self) -> None:
        """Send as much as goes without waiting, or one piece."""
        if self._ended or self._wait is not None:
            return
        try:
            if self._plain():
                self._sendDirectly()
            else:
                self._sendPiece()
        except (OSError, FileShrank):
            self._end(Failure())

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._registered = False
        self._end(Failure(ConnectionLost("the connection was lost in the middle of a file")))

    # How it is sent.

    def _plain(self) -> bool:
        """Whether the socket itself can be used, with nothing in between."""
        transport = self._transport
        return self._direct and isinstance(transport, tcp.Connection) and not transport.TLS

    def _sendDirectly(self) -> None:
        transport = self._transport
        if transport.dataBuffer or transport._tempDataBuffer:
            # What was written before goes first; the transport asks again when it is gone.
            return
        socket, wait, turn = transport.fileno(), 0.0, _TURN
        while self._left and turn > 0 and not wait:
            try:
                amount = os.sendfile(socket, self._descriptor, self._offset, min(self._left, self._most))
            except OSError as error:
                if error.errno in _FULL:
                    break
                # Whatever it is, it is met again on the common way: an error of the file when it is read,
                # one of the connection when it is written to.
                self._direct = error.errno not in _NOT_HERE
                self._sendPiece()
                return
            if not amount:
                raise FileShrank("the file became shorter while it was sent")
            turn -= amount
            wait = self._took(amount)
        self._next(wait)

    def _sendPiece(self) -> None:
        piece = os.pread(self._descriptor, min(self._left, self._most, _PIECE), self._offset)
        if not piece:
            raise FileShrank("the file became shorter while it was sent")
        self._transport.write(piece)
        if not self._ended:
            self._next(self._took(len(piece)))

    def _took(self, amount: int) -> float:
        self._offset += amount
        self._left -= amount
        self._sent(amount)
        return self._pace(amount)

    def _next(self, wait: float) -> None:
        if self._ended:
            return
        if not self._left:
            self._end(None)
        elif wait > 0:
            # A producer that has nothing to say just now would be asked again and again.
            self._unregister()
            self._wait = self._clock.callLater(wait, self._waited)
        elif self._plain():
            self._transport.startWriting()

    def _waited(self) -> None:
        self._wait = None
        self._register()

    def _register(self) -> None:
        self._registered = True
        self._transport.registerProducer(self, False)

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()

    def _end(self, problem: Failure | None) -> None:
        if self._ended:
            return
        self._ended = True
        if self._wait is not None and self._wait.active():
            self._wait.cancel()
        self._unregister()
        if problem is None:
            self.done.callback(None)
        else:
            self.done.errback(problem)
