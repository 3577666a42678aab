"""
The clients: of the checksum server, and of the netcopy server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO, Generic, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure

from labnet.net.connection import Transport
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.netcopy.wire import (
    NotUnderstood,
    encodeAnnouncement,
    encodeLookup,
    readChecksum,
    readStored,
)

__all__ = ["ChecksumQuestion", "Netcopy", "announceChecksum", "askChecksum", "netcopy"]

_Answer = TypeVar("_Answer")


class ChecksumQuestion(Protocol, Generic[_Answer]):
    """
    One question to a checksum server, on a connection of its own.

    @param clock: the reactor, or a C{Clock} in a test.
    @param request: what is sent.
    @param read: takes everything that has come, and returns the answer, or L{None} if there is more to it.
    @param timeout: seconds.
    @ivar answered: fires with the answer; fails with L{TimeoutError}, L{NotUnderstood}, or with how the
        connection was lost.
    """

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        request: bytes,
        read: Callable[[bytes], _Answer | None],
        timeout: float,
    ) -> None:
        self._clock = clock
        self._request = request
        self._read = read
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self._said = b""
        self.answered: Deferred[_Answer] = Deferred(
            lambda answered: self._end(self.transport.abortConnection)
        )

    def connectionMade(self) -> None:
        self._timer = self._clock.callLater(self._timeout, self._timeUp)
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self.answered.called:
            return
        # An answer is short, and is read as soon as it is there.
        self._said += data[:1024]
        try:
            answer = self._read(self._said)
        except NotUnderstood:
            self._fire(Failure())
        else:
            if answer is not None:
                self._fire(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fire(reason)

    def _timeUp(self) -> None:
        self._timer = None
        self._fire(Failure(TimeoutError(string=f"no answer for {self._timeout:g} s")))

    def _fire(self, result: _Answer | Failure) -> None:
        self._end(
            self.transport.abortConnection if isinstance(result, Failure) else self.transport.loseConnection
        )
        if not self.answered.called:
            self.answered.callback(result)

    def _end(self, leave: Callable[[], object]) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        leave()


async def _ask(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    request: bytes,
    read: Callable[[bytes], _Answer | None],
    timeout: float,
) -> _Answer:
    factory = Factory.forProtocol(lambda: ChecksumQuestion(clock, request, read, timeout))
    factory.noisy = False
    question = cast("ChecksumQuestion[_Answer]", await endpoint.connect(factory))
    try:
        return await question.answered
    except NotUnderstood as error:
        raise ClientError(str(error), ExitStatus.NOT_UNDERSTOOD) from error


async def announceChecksum(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    identifier: bytes,
    checksum: bytes,
    *,
    seconds: int = 60,
    timeout: float = 5.0,
) -> None:
    """
    Have a checksum kept for so many seconds.

    @raise TimeoutError: no answer came in C{timeout} seconds.
    @raise ClientError: the answer is something else than C{OK}.
    """
    await _ask(clock, endpoint, encodeAnnouncement(identifier, seconds, checksum), readStored, timeout)


async def askChecksum(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, identifier: bytes, *, timeout: float = 5.0
) -> bytes:
    """
    Ask for a checksum; it is empty when none is kept.

    @raise TimeoutError: no answer came in C{timeout} seconds.
    @raise ClientError: what came is no answer.
    """
    return await _ask(clock, endpoint, encodeLookup(identifier), readChecksum, timeout)


class Netcopy(Protocol):
    """
    Sends a file, no faster than the peer reads.

    @param clock: the reactor, or a C{Clock} in a test.
    @param timeout: seconds without progress.
    @param sent: called with the bytes sent so far, with each piece.
    """

    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        timeout: float = 30.0,
        sent: Callable[[int], object] = lambda size: None,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._told = sent
        self._timer: IDelayedCall | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._gone: Failure | None = None
        self._closed: Deferred[None] | None = None
        self.size = 0

    async def send(self, file: IO[bytes]) -> str:
        """
        Send all of an open file, and return its MD5 in hex. The connection stays open.

        @raise TimeoutError: the peer does not read.
        @raise ConnectionLost: the connection was lost.
        """
        sending = FileSender().beginFileTransfer(file, self.transport, self._piece)
        self._watch()
        try:
            await sending
        except CancelledError:
            raise
        except Exception:
            # All that the sender knows is that nobody wants any more.
            if self._gone is not None:
                self._gone.raiseException()
            raise
        finally:
            self._stopTimer()
        return self._md5.hexdigest()

    def close(self) -> Deferred[None]:
        """
        End the stream, and the connection, once everything has left.

        @return: fires when the connection is closed; fails when it was lost before.
        """
        closed: Deferred[None] = Deferred(lambda closed: self.abort())
        if self._gone is not None:
            closed.callback(None if self._gone.check(ConnectionDone) else self._gone)
            return closed
        self._closed = closed
        self._watch()
        self.transport.loseConnection()
        return closed

    def abort(self) -> None:
        """End the connection at once."""
        self._stopTimer()
        if self._gone is None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stopTimer()
        if self._gone is None:
            self._gone = reason
        closed, self._closed = self._closed, None
        if closed is not None and not closed.called:
            closed.callback(None if self._gone.check(ConnectionDone) else self._gone)

    def _piece(self, data: bytes) -> bytes:
        self._watch()
        self._md5.update(data)
        self.size += len(data)
        self._told(self.size)
        return data

    def _watch(self) -> None:
        """There is progress: the time begins anew."""
        if self._timer is None or not self._timer.active():
            self._timer = self._clock.callLater(self._timeout, self._timeUp)
        else:
            self._timer.reset(self._timeout)

    def _timeUp(self) -> None:
        self._timer = None
        self._gone = Failure(TimeoutError(string=f"the server did not read for {self._timeout:g} s"))
        self.transport.abortConnection()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


async def netcopy(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    checksums: IStreamClientEndpoint,
    file: IO[bytes],
    *,
    identifier: bytes = b"1",
    seconds: int = 60,
    timeout: float = 30.0,
    sent: Callable[[int], object] = lambda size: None,
) -> tuple[int, str]:
    """
    Send a file, announce its checksum, and only then end the stream: so the checksum is there when the
    server asks for it.

    @param checksums: the checksum server.
    @param identifier: under which the checksum is kept; the server has to ask for the same.
    @param seconds: for how long it is kept.
    @param timeout: seconds without progress, and to wait for the checksum server.
    @param sent: called with the bytes sent so far, with each piece.
    @return: the size, and the MD5 in hex.
    @raise ClientError: the checksum server did not say OK.
    """
    factory = Factory.forProtocol(lambda: Netcopy(clock, timeout, sent))
    factory.noisy = False
    copy = cast(Netcopy, await endpoint.connect(factory))
    try:
        digest = await copy.send(file)
        try:
            await announceChecksum(
                clock, checksums, identifier, digest.encode("ascii"), seconds=seconds, timeout=timeout
            )
        except CancelledError:
            raise
        except Exception as error:
            # An endpoint may fail with anything; which of the two servers it was has to be said.
            sentence, status = explain(Failure())
            if status is ExitStatus.BUG:
                raise
            raise ClientError(f"the checksum server: {sentence}", status) from error
        await copy.close()
        return copy.size, digest
    finally:
        copy.abort()
