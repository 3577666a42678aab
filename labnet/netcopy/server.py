"""
The netcopy server: takes a stream to its end, and compares its checksum with the one announced.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import Limits
from labnet.net.logs import counted
from labnet.net.outcome import ExitStatus, explain
from labnet.net.sockets import SocketOptions
from labnet.netcopy.saving import Copy

__all__ = ["Copies", "NetcopyFactory", "NetcopyProtocol"]

#: Seconds between two questions for a checksum that is not there yet.
_PAUSE = 0.1

#: Asks for the announced checksum: empty when there is none.
Ask = Callable[[], Coroutine[Deferred[Any], Any, bytes]]


@dataclass(frozen=True, slots=True)
class Copies:
    """
    What becomes of what is sent.

    @ivar identifier: under which the checksums are announced; the files are called after it.
    @ivar directory: where the files are written; L{None}: nowhere.
    @ivar most: bytes of one copy; 0: no limit.
    @ivar patience: seconds to ask for a checksum that is not there.
    """

    identifier: str = "1"
    directory: str | None = None
    most: int = 1 << 30
    patience: float = 1.0


class NetcopyProtocol(ServiceConnection):
    """
    One copy. The connection stays until its checksum is compared.

    @param copy: where it goes.
    """

    factory: NetcopyFactory

    def __init__(self, copy: Copy) -> None:
        super().__init__()
        self._copy: Copy | None = copy
        self.size = 0

    def started(self) -> None:
        assert self._copy is not None
        try:
            self._copy.open()
        except OSError as error:
            self._cannotWrite(error)

    def received(self, data: bytes) -> None:
        copy, most = self._copy, self.factory.copies.most
        if copy is None:
            return
        self.touch()
        self.size += len(data)
        if most and self.size > most:
            self.drop(f"more than {most} bytes")
            return
        try:
            copy.add(data)
        except OSError as error:
            self._cannotWrite(error)

    def _cannotWrite(self, error: OSError) -> None:
        self.drop(f"cannot be written: {error.strerror or type(error).__name__}")

    def inputEnded(self) -> None:
        self._compare()

    def _compare(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            self.factory.compare(self, copy).addCallback(lambda result: self.close("closed by the peer"))

    def ended(self, reason: Failure) -> None:
        # TLS has no halves: there the end of the stream is the end of the connection.
        if reason.check(ConnectionDone) and not self._settling:
            self._compare()
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.discard()

    @property
    def busy(self) -> bool:
        # What has come is the beginning of a copy, or a copy that is being compared.
        return self.size > 0 or self._copy is None

    def summary(self) -> str:
        return counted(self.size, "byte")


class NetcopyFactory(ServiceFactory):
    """
    Takes copies, and says in the log of each whether it is what was announced.

    @param clock: the reactor, or a C{Clock} in a test.
    @param ask: asks the checksum server.
    @param copies: what becomes of what is sent.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "netcopy"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        ask: Ask,
        copies: Copies | None = None,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self._ask = ask
        self.copies = copies or Copies()
        self._comparing: set[Deferred[None]] = set()

    def build(self) -> NetcopyProtocol:
        return NetcopyProtocol(Copy(self.copies.directory, self.copies.identifier))

    def compare(self, connection: NetcopyProtocol, copy: Copy) -> Deferred[None]:
        """
        A copy is whole: compare it, and write the line about it.

        @return: fires when that is done; it does not fail.
        """
        comparing = Deferred.fromCoroutine(self._compare(connection, copy))
        comparing.addErrback(self._bug, connection)
        self._comparing.add(comparing)
        comparing.addBoth(lambda result: self._comparing.discard(comparing))
        return comparing

    async def _compare(self, connection: NetcopyProtocol, copy: Copy) -> None:
        try:
            problem = await self._problemOf(copy.digest)
            saved = copy.keep("" if problem is None else ".corrupted")
        except OSError as error:
            problem, saved = f"cannot be written: {error.strerror or type(error).__name__}", ""
        finally:
            copy.discard()
        self.log.info(
            "netcopy #{id}: {verdict}: {counted}, md5 {digest}{saved}{problem}",
            id=connection.connectionId,
            verdict="CSUM OK" if problem is None else "CSUM CORRUPTED",
            counted=counted(copy.size, "byte"),
            size=copy.size,
            digest=copy.digest,
            saved=f", saved as {saved}" if saved else "",
            problem=f"; {problem}" if problem is not None else "",
        )

    async def _problemOf(self, digest: str) -> str | None:
        """What speaks against this being what was announced, or L{None}."""
        try:
            announced = await self._announced()
        except CancelledError:
            return "the service stopped before the checksum was known"
        except Exception:
            # An endpoint may fail with anything, and the copy gets its line in any case.
            failure = Failure()
            sentence, status = explain(failure)
            if status is ExitStatus.BUG:
                self.log.failure("a bug in asking for a checksum", failure=failure)
            return f"the checksum server: {sentence}"
        if not announced:
            return "no checksum is known"
        same = announced.lower() == digest.encode("ascii")
        return None if same else "another checksum was announced"

    async def _announced(self) -> bytes:
        deadline = self.clock.seconds() + self.copies.patience
        while True:
            announced = await self._ask()
            if announced or self.clock.seconds() + _PAUSE > deadline:
                return announced
            await deferLater(self.clock, _PAUSE)

    def _bug(self, failure: Failure, connection: NetcopyProtocol) -> None:
        self.log.failure("a bug in connection {id}", failure=failure, id=connection.connectionId)

    def finish(self) -> Deferred[None]:
        """As every factory's, and wait for the comparisons, for as long as C{limits.grace} as well."""
        return Deferred.fromCoroutine(self._finish(super().finish()))

    async def _finish(self, connections: Deferred[None]) -> None:
        await connections
        comparing = tuple(self._comparing)
        if comparing:
            timer = self.clock.callLater(self.limits.grace, self._stopComparing)
            await DeferredList(comparing)
            if timer.active():
                timer.cancel()

    def _stopComparing(self) -> None:
        for comparing in tuple(self._comparing):
            comparing.cancel()
