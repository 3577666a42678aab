"""
A server that is examined, as a scenario sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory

from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Datagrams
from labnet.check.evidence import Exhibit, Failed, Kind, Signs
from labnet.check.mistakes import Mistake
from labnet.check.origin import Origin
from labnet.check.program import Program
from labnet.check.stage import Stage

__all__ = ["Server", "together"]


async def together(*doing: Coroutine[Any, Any, Any]) -> None:
    """Do several things at the same time, and wait for all; the first that fails ends the others."""
    running = [Deferred.fromCoroutine(one) for one in doing]
    gathered = gatherResults(running, consumeErrors=True)
    try:
        await gathered
    except Exception as error:
        for one in running:
            one.cancel()
        failure = getattr(error, "subFailure", None)
        if failure is not None:
            failure.raiseException()
        raise


class Server:
    """
    The server.

    @param address: host and port.
    @param restart: ends it and starts it again, where we have started it.
    @param origin: of a server that stands between.
    @param folder: of a server of files.
    @ivar variant: which kind of the service it is: a profile, a style.
    @ivar transport: C{"tcp"} or C{"udp"}.
    @ivar random: the scenario's dice.
    """

    def __init__(
        self,
        reactor: Any,
        stage: Stage,
        address: tuple[str, int],
        transport: str,
        variant: str,
        restart: Callable[[], Deferred[None]] | None = None,
        origin: Origin | None = None,
        folder: Path | None = None,
    ) -> None:
        self._reactor = reactor
        self._stage = stage
        self.address = address
        self.transport = transport
        self.variant = variant
        self._restart = restart
        self._origin = origin
        self._folder = folder
        self._connections = 0
        self._printed = 0
        self.ignoreOutput()

    @property
    def random(self) -> Random:
        """The scenario's dice: the same numbers for the same seed."""
        return self._stage.random

    @property
    def program(self) -> Program | None:
        """The program, if we have started it."""
        return self._stage.program

    @property
    def origin(self) -> Origin:
        """Of a server that stands between: where it connects to."""
        assert self._origin is not None
        return self._origin

    @property
    def folder(self) -> Path:
        """Of a server of files: the folder whose files it gives away; a scenario puts them there."""
        assert self._folder is not None
        return self._folder

    def put(self, name: str, data: bytes) -> None:
        """Put a file into the folder, for as long as the scenario lasts."""
        path = self.folder / name
        path.write_bytes(data)
        self._stage.atEnd(lambda: path.unlink(missing_ok=True))

    async def connect(self, *, signs: Signs = NO_SIGNS, words: str = "a connection") -> Connection:
        """
        Connect to it.

        @raise Failed: it takes no connection.
        """
        self._connections += 1
        number = self._connections
        connection = Connection(self._stage, number if number > 1 else 0)
        host, port = self.address
        endpoint = HostnameEndpoint(
            self._reactor, host.encode("idna"), port, timeout=self._stage.limits.wait
        )
        factory = Factory.forProtocol(lambda: connection)
        factory.noisy = False
        try:
            await endpoint.connect(factory)
        except Exception as error:
            came = f"no connection was taken ({' '.join(str(error).split()).rstrip('.')})"
            raise Failed(Kind.REFUSED, words, came, None, signs.get(Kind.REFUSED)) from error
        return connection

    def datagrams(self) -> Datagrams:
        """A socket that asks it, over UDP."""
        self._connections += 1
        asking = Datagrams(self._stage, self.address, self._connections if self._connections > 1 else 0)
        self._reactor.listenUDP(0, asking, interface="::" if ":" in self.address[0] else "0.0.0.0")
        return asking

    async def pause(self, seconds: float) -> None:
        """Let some time pass: for what is to be slow, never for waiting until something has happened."""
        await self._stage.sleep(seconds)

    async def prints(
        self, text: str, *, words: str = "", mistake: Mistake | None = None, patient: bool = False
    ) -> None:
        """
        Wait until a program that we have started has printed this after what was asked for last; of
        another nobody knows.

        @param patient: whether it may sleep meanwhile, for a time of its own.
        @raise Failed: it does not.
        """
        program = self.program
        if program is None:
            return
        data = text.encode("utf-8")

        def printed() -> bool:
            return data in program.stdout[self._printed :]

        await self._stage.until(lambda: printed() or program.over, asleep=not patient)
        if not printed():
            came = program.stdout[self._printed :][-200:]
            exhibit = Exhibit(data, came, 0) if came else None
            told = "it printed something else" if came else "it printed nothing"
            raise Failed(Kind.OUTPUT, words or f"the output {text!r}", told, exhibit, mistake)
        self._printed = program.stdout.index(data, self._printed) + len(data)

    def ignoreOutput(self) -> None:
        """What was printed until now is not looked at."""
        self._printed = 0 if self.program is None else len(self.program.stdout)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """
        What is done in this block arrives at once: a program that we have started does nothing meanwhile.
        """
        if self.program is not None:
            self.program.freeze(True)
        try:
            yield
        finally:
            if self.program is not None:
                self.program.freeze(False)

    async def restart(self) -> None:
        """
        End the program and start it again at once, on the same port.

        @raise Failed: it does not listen again.
        """
        assert self._restart is not None
        await self._restart()

    def fail(self, expected: str, came: str, mistake: Mistake | None = None) -> Failed:
        """What a scenario raises that has found something by itself."""
        return Failed(Kind.OTHER, expected, came, None, mistake)
