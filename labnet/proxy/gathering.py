"""
The figures of several processes that serve together: each offers its own on a UNIX socket in a folder, and
whichever of them is asked for a page asks the others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.proxy.metrics import BadSnapshot, Snapshot, total

__all__ = ["Gathering"]

#: Bytes of one snapshot; what is more is none.
_LARGEST = 2**20


class _Offering(Protocol):
    """Says how it stands, and ends."""

    def connectionMade(self) -> None:
        assert isinstance(self.factory, _OfferingFactory)
        assert self.transport is not None
        self.transport.write(self.factory.own().encode())
        self.transport.loseConnection()


class _OfferingFactory(Factory):
    protocol = _Offering
    noisy = False

    def __init__(self, own: Callable[[], Snapshot]) -> None:
        self.own = own


class _Asking(Protocol):
    """Takes what the other says, until it ends."""

    def __init__(self) -> None:
        self._taken = b""
        self.answer: Deferred[Snapshot] = Deferred(lambda answer: self._leave())

    def dataReceived(self, data: bytes) -> None:
        self._taken += data
        if len(self._taken) > _LARGEST:
            self._leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.answer.called:
            return
        try:
            self.answer.callback(Snapshot.decode(self._taken))
        except BadSnapshot:
            self.answer.errback()

    def _leave(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]


class Gathering(Service):
    """
    Offers the figures of this process, and gathers those of the others.

    @param reactor: listens, connects and tells the time.
    @param folder: where the sockets are. It is made if it is not there, for this user alone.
    @param own: how it stands with this process.
    @param patience: seconds to wait for the others.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, folder: Path, own: Callable[[], Snapshot], patience: float = 1.0
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._own = own
        self._patience = patience
        self._path = folder / f"{os.getpid()}.sock"
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        try:
            _makePrivate(self._folder)
            self._path.unlink(missing_ok=True)
            self._port = self._reactor.listenUNIX(str(self._path), _OfferingFactory(self._own), mode=0o600)
        except (OSError, CannotListenError) as error:
            # Serving matters more than the figures.
            self.log.error("the other workers can not read the figures: {error}", error=str(error))

    async def _stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
            self._path.unlink(missing_ok=True)
            with suppress(OSError):
                self._folder.rmdir()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def snapshot(self) -> Snapshot:
        """The figures of all processes; of those, that is, that answer in time."""
        asked = []
        if self._port is not None:
            others = [path for path in self._folder.glob("*.sock") if path != self._path]
            asked = [Deferred.fromCoroutine(self._ask(path)) for path in others]
        answers = await DeferredList(asked, consumeErrors=True)
        found = [answer for good, answer in answers if good and answer is not None]
        silent = sum(not good for good, _ in answers)
        return total([self._own(), *found, *([Snapshot(0, silent)] if silent else [])])

    async def _ask(self, path: Path) -> Snapshot | None:
        factory = Factory.forProtocol(_Asking)
        factory.noisy = False
        endpoint = UNIXClientEndpoint(self._reactor, str(path))
        try:
            asking: _Asking = await endpoint.connect(factory).addTimeout(self._patience, self._reactor)
        except ConnectError:
            # It was killed, and could not tidy up.
            path.unlink(missing_ok=True)
            return None
        answer = asking.answer
        return await answer.addTimeout(self._patience, self._reactor)


def _makePrivate(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user's alone")
