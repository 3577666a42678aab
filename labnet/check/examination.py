"""
Runs the scenarios of a contract against a server or a client, and finds what came of each.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.check.client import Client
from labnet.check.connection import Connection
from labnet.check.datagrams import Datagrams
from labnet.check.evidence import Failed, Kind
from labnet.check.host import Host, filledIn, freePort, takenPort
from labnet.check.mistakes import Mistake
from labnet.check.origin import Origin
from labnet.check.program import Bounds, Program
from labnet.check.scenario import Scenario, Side, Topic
from labnet.check.server import Server
from labnet.check.stage import Limits, Stage
from labnet.check.verdict import Finding, Outcome, refined
from labnet.net.endpoints import LOOPBACK
from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["Planned", "Settings", "examine"]

#: Seconds in which a program that broke a connection off may also end, with its last words; and that it may
#: sleep meanwhile.
_LAST_WORDS, _LAST_SLEEP = 1.0, 0.2
_LOST = "the server has gone, and only who has started it can start it again"


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario, and what it counts."""

    scenario: Scenario
    weight: float


@dataclass(frozen=True, slots=True)
class Settings:
    """
    An examination.

    @ivar address: of a server: host and port, 0 for a free one with a C{command}; for a client, where we
        listen.
    @ivar origin: the transport to what is behind a server that stands between, and where we listen for
        it; port 0 for a free one.
    @ivar folder: that a server of files gives away; L{None} for one of our own, if C{{folder}} stands in
        the command. A client with that in its command has an empty one each time.
    @ivar command: starts the client, or the server if it does not run already.
    @ivar typed: what is typed into a client's standard input; L{None} leaves that to the scenario.
    @ivar again: how often a scenario that has failed is run again.
    @ivar atOnce: clients that are examined at the same time, each on a port of its own.
    """

    side: Side
    transport: str = "tcp"
    variant: str = ""
    address: tuple[str, int] = (LOOPBACK, 0)
    command: tuple[str, ...] = ()
    origin: tuple[str, tuple[str, int]] | None = None
    folder: Path | None = None
    typed: bytes | None = None
    seed: int = 0
    again: int = 1
    atOnce: int = 4
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)


class _Attempt:
    """One run of one scenario, and what came of it: L{failed}, or a bug of ours in L{bug}."""

    def __init__(self, reactor: Any, scenario: Scenario, settings: Settings) -> None:
        self._reactor = reactor
        dice = Random(f"{settings.seed}/{settings.side.value}/{scenario.name}")
        self.stage = Stage(reactor, settings.limits, dice)
        self.failed: Failed | None = None
        self.bug = ""
        self.output = ""
        self._gone = False

    async def play(self, acting: Coroutine[Any, Any, None]) -> None:
        """Run it to its end, which it has in any case."""
        stage = self.stage
        playing = Deferred.fromCoroutine(acting)
        limit = self._reactor.callLater(stage.limits.scenario, playing.cancel)
        try:
            await playing
        except Failed as failed:
            self.failed = failed
        except CancelledError:
            if limit.active():
                limit.cancel()
                stage.abandon()
                raise
            came = f"it took over {stage.limits.scenario:g} seconds"
            self.failed = Failed(Kind.STAYED, "the end of the scenario", came)
        except ClientError:
            limit.cancel()
            stage.abandon()
            raise
        except Exception:
            self.bug = Failure().getTraceback()
        if limit.active():
            limit.cancel()
        if self.failed is not None:
            await self._lastWords()
        await stage.leave()

    async def _lastWords(self) -> None:
        """What the program still says, if it is about to end."""
        program = self.stage.program
        if program is not None:
            await self.stage.until(
                lambda: program.over or not program.running, limit=_LAST_WORDS, idle=_LAST_SLEEP
            )
            self.output = program.tail()
            self._gone = not program.running

    def mistake(self, scenario: Scenario) -> Mistake | None:
        """The likely one: what was seen says more than what the scenario is there for."""
        program = self.stage.program
        assert self.failed is not None
        exceeded = program.exceeded if program is not None else None
        if exceeded is not None and exceeded is not Mistake.TOO_MUCH_MEMORY:
            return exceeded
        crash = Mistake.CRASH if self._gone else None
        return self.failed.mistake or scenario.mistake or exceeded or crash


def _folderOf(settings: Settings) -> Path | None:
    if settings.folder is None and any("{folder}" in word for word in settings.command):
        return Path(mkdtemp(prefix="labnet-check-"))
    return settings.folder


def _originOf(reactor: Any, settings: Settings) -> Origin | None:
    if settings.origin is None:
        return None
    transport, (host, port) = settings.origin
    return Origin(reactor, transport, (host, port or freePort(host, transport)))


class _Examination:
    """The scenarios of one examination, one after the other or several at once."""

    log = Logger()

    def __init__(self, reactor: Any, settings: Settings) -> None:
        self._reactor = reactor
        self._settings = settings
        self._lost = False
        self._origin = _originOf(reactor, settings)
        self._folder = _folderOf(settings)
        self._host = Host(
            reactor, settings.address, settings.transport, settings.command, settings.bounds,
            {"folder": self._folder, **({} if self._origin is None else self._origin.places)},
        )  # fmt: skip

    async def find(self, planned: Planned) -> Finding:
        """Run a scenario, and once more if it fails."""
        scenario = planned.scenario
        if self._lost:
            return Finding(scenario, Outcome.BLOCKED, planned.weight, came=_LOST, attempts=0)
        startedAt = self._reactor.seconds()
        first: _Attempt | None = None
        attempts = 0
        while True:
            attempts += 1
            attempt = _Attempt(self._reactor, scenario, self._settings)
            await self._run(attempt, scenario)
            if attempt.failed is None or attempts > self._settings.again:
                break
            first = first or attempt
        seconds = self._reactor.seconds() - startedAt
        refused = attempt.failed is not None and attempt.failed.kind is Kind.REFUSED
        self._lost = refused and self._settings.side is Side.SERVER and not self._settings.command
        shown = first if first is not None and attempt.failed is None else attempt
        return self._finding(planned, attempt, shown, attempts, seconds)

    def close(self) -> Deferred[None]:
        """End what was started; there is no need to wait for it."""
        ended = self._host.stop()
        if self._folder is not None and self._settings.folder is None:
            rmtree(self._folder, ignore_errors=True)
        return ended

    def _finding(
        self, planned: Planned, last: _Attempt, shown: _Attempt, attempts: int, seconds: float
    ) -> Finding:
        scenario, weight = planned.scenario, planned.weight
        if last.bug:
            self.log.error("{scenario}: {bug}", scenario=scenario.name, bug=last.bug)
            return Finding(
                scenario, Outcome.BROKEN, weight, came=last.bug, attempts=attempts, seconds=seconds
            )
        if shown.failed is None:
            return Finding(scenario, Outcome.PASSED, weight, attempts=attempts, seconds=seconds)
        failed = shown.failed
        return Finding(
            scenario,
            Outcome.UNSTEADY if last.failed is None else Outcome.FAILED,
            weight,
            failed.kind,
            failed.expected,
            failed.came,
            failed.exhibit,
            shown.mistake(scenario),
            tuple(shown.stage.steps),
            shown.output,
            attempts,
            seconds,
        )

    async def _run(self, attempt: _Attempt, scenario: Scenario) -> None:
        if self._settings.side is Side.SERVER:
            if self._origin is not None:
                await self._origin.listen(attempt.stage)
            try:
                await attempt.play(self._playServer(attempt.stage, scenario))
            finally:
                if self._origin is not None:
                    await self._origin.close()
            if attempt.failed is None and not await self._host.listens(attempt.stage):
                attempt.failed = Failed(
                    Kind.GONE, "that the server goes on", "it does not listen any more", None,
                    scenario.mistake if scenario.topic is not Topic.PLAIN else Mistake.ONE_CONNECTION,
                )  # fmt: skip
                attempt.output = attempt.stage.program.tail() if attempt.stage.program is not None else ""
            if attempt.failed is not None:
                # What it has suffered must not spoil the next scenario.
                await self._host.stop()
        else:
            await self._runClient(attempt, scenario)

    async def _playServer(self, stage: Stage, scenario: Scenario) -> None:
        settings, host = self._settings, self._host
        await host.ready(stage)
        server = Server(
            self._reactor, stage, host.address, settings.transport, settings.variant,
            lambda: Deferred.fromCoroutine(host.again(stage)), self._origin, self._folder,
        )  # fmt: skip
        await scenario.play(server)

    async def _runClient(self, attempt: _Attempt, scenario: Scenario) -> None:
        settings, stage = self._settings, attempt.stage
        host, _ = settings.address
        datagrams = Datagrams(stage) if settings.transport == "udp" and not scenario.absent else None
        program = stage.program = Program((), stage.changed, settings.bounds)
        client = Client(self._reactor, stage, program, settings.transport, settings.variant, datagrams)
        if self._folder is not None:
            client.folder = Path(mkdtemp(dir=self._folder))
        port = None if scenario.absent else self._listen(stage, client, datagrams)
        holding = takenPort(host) if scenario.absent and not settings.address[1] else None
        number = settings.address[1] if port is None else port.getHost().port
        if holding is not None:
            number = holding.getsockname()[1]
        program.command = tuple(filledIn(settings.command, host=host, port=number, folder=client.folder))
        try:
            program.start(self._reactor)
            if settings.typed is not None:
                program.type(settings.typed)
                program.endInput()
            await attempt.play(scenario.play(client))
        finally:
            ended = program.kill()
            if holding is not None:
                holding.close()
            closed: Any = None
            if datagrams is not None:
                closed = datagrams.close()
            elif port is not None:
                closed = port.stopListening()
        await ended
        if closed is not None:
            # The next one may listen on the same port.
            await closed

    def _listen(self, stage: Stage, client: Client, datagrams: Datagrams | None) -> Any:
        host, number = self._settings.address
        if datagrams is not None:
            return self._reactor.listenUDP(number, datagrams, interface=host)
        connections = 0

        def build() -> Connection:
            nonlocal connections
            connections += 1
            connection = Connection(stage, connections if connections > 1 else 0)
            client.arrived(connection)
            return connection

        factory = Factory.forProtocol(build)
        factory.noisy = False
        return self._reactor.listenTCP(number, factory, interface=host)


async def examine(
    reactor: Any,
    plan: Sequence[Planned],
    settings: Settings,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Finding, ...]:
    """
    Run scenarios.

    @param plan: in their order. Those of the basis come first; when one of them fails, none is run any
        more.
    @param progress: is told how many are done.
    @return: what came of each, in the same order.
    @raise ClientError: there is no server, or nobody can listen where a client is to connect.
    """
    examination = _Examination(reactor, settings)
    basis = [one for one in plan if one.scenario.basis]
    others = [one for one in plan if not one.scenario.basis]
    findings: dict[Planned, Finding] = {}
    try:
        for planned in basis:
            findings[planned] = await examination.find(planned)
            progress(len(findings))
            _mustBeThere(findings[planned], settings)
            if not findings[planned].outcome.good:
                break
        else:
            await _several(examination, others, settings, findings, progress)
    finally:
        ended = examination.close()
    await ended
    blocked = (
        findings.get(one) or Finding(one.scenario, Outcome.BLOCKED, one.weight, attempts=0) for one in plan
    )
    return refined(list(blocked))


async def _several(
    examination: _Examination,
    plan: Sequence[Planned],
    settings: Settings,
    findings: dict[Planned, Finding],
    progress: Callable[[int], None],
) -> None:
    """
    A server is asked one scenario after the other: its state is one. Clients are started several at once.
    """
    several = settings.side is Side.CLIENT and not settings.address[1]
    places = DeferredSemaphore(settings.atOnce if several else 1)

    def start(planned: Planned) -> Deferred[None]:
        return Deferred.fromCoroutine(one(planned))

    async def one(planned: Planned) -> None:
        findings[planned] = await examination.find(planned)
        progress(len(findings))
        if len(findings) == 1:
            _mustBeThere(findings[planned], settings)

    running: list[Deferred[None]] = [places.run(start, planned) for planned in plan]
    try:
        for doing in running:
            await doing
    except BaseException:
        for doing in running:
            doing.addErrback(lambda failure: None)
            doing.cancel()
        raise


def _mustBeThere(finding: Finding, settings: Settings) -> None:
    """A server that we have not started, and that is not there, is nobody to examine."""
    if settings.side is Side.SERVER and not settings.command and finding.kind is Kind.REFUSED:
        host, port = settings.address
        raise ClientError(f"nobody listens on {settings.transport}:{host}:{port}", ExitStatus.REFUSED)
