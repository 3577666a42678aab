"""
Where the server that is examined runs: somewhere, or as a program that we start, and start again when it
has died.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed

from labnet.check.evidence import Failed, Kind
from labnet.check.mistakes import Mistake
from labnet.check.program import Bounds, Program
from labnet.check.stage import Stage
from labnet.check.unread import listens
from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["Host", "filledIn", "freePort", "takenPort"]

#: How many times as long as for anything else is waited until a program listens.
_START = 2
#: How many free ports are tried.
_PORTS = 3
#: Ports below those that systems give out by themselves (Linux: from 32768).
_NOT_GIVEN = range(20_000, 32_000)


def filledIn(command: Sequence[str], **places: object) -> list[str]:
    """A command with C{{host}}, C{{port}} and so on replaced; other braces stay as they are."""
    filled = []
    for word in command:
        for name, value in places.items():
            word = word.replace("{" + name + "}", str(value))
        filled.append(word)
    return filled


def freePort(host: str, transport: str) -> int:
    """
    A port that is free now, and that the system gives to nobody who asks for any: so it can be bound again
    later.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    for port in (*(secrets.choice(_NOT_GIVEN) for _ in range(20)), 0):
        with socket.socket(family, kind) as trying, suppress(OSError):
            trying.bind((host, port))
            return int(trying.getsockname()[1])
    raise ClientError(f"there is no free {transport} port on {host}", ExitStatus.UNREACHABLE)


def takenPort(host: str) -> socket.socket:
    """
    A socket on a port where nobody listens, and nobody else can while it is open: a free port may be
    somebody else's a moment later.
    """
    holding = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    holding.bind((host, 0))
    return holding


class Host:
    """
    The server, wherever it is.

    @param address: host and port; port 0, with a command, for a free one that is put in the place of
        C{{port}}.
    @param command: starts it; empty if it runs already.
    @param places: what else is put into the command, as C{{host}} and C{{port}} are.
    @ivar program: the program, once it has been started.
    """

    def __init__(
        self,
        reactor: Any,
        address: tuple[str, int],
        transport: str,
        command: Sequence[str] = (),
        bounds: Bounds = Bounds(),
        places: Mapping[str, object] | None = None,
    ) -> None:
        self._reactor = reactor
        self._given = address
        self._transport = transport
        self._command = tuple(command)
        self._bounds = bounds
        self._places = dict(places or {})
        self.address = address
        self.program: Program | None = None

    async def ready(self, stage: Stage, *, samePort: bool = False) -> None:
        """
        Have it running, for one scenario.

        @param samePort: whether a program that is started again has to take the port that it had.
        @raise Failed: the program does not listen.
        @raise ClientError: the port is somebody else's.
        """
        program = self.program
        if not self._command:
            return
        if program is not None and program.running:
            program.changed = stage.changed
            stage.program = program
            return
        await self.stop()
        for attempt in range(_PORTS):
            try:
                await self._start(stage, samePort)
                return
            except Failed as failed:
                # Somebody else may have taken the port that was free: that is not the program's mistake.
                chosen = not samePort and not self._given[1]
                if failed.mistake is not Mistake.NO_REUSE or not chosen or attempt == _PORTS - 1:
                    raise
                await self.stop()

    async def _start(self, stage: Stage, samePort: bool) -> None:
        host, port = self._given
        if not samePort:
            self.address = host, port or freePort(host, self._transport)
        if listens(*self.address, self._transport):
            raise ClientError(
                f"something listens on port {self.address[1]} already", ExitStatus.UNREACHABLE
            )
        words = filledIn(self._command, **self._places, host=host, port=self.address[1])
        program = self.program = stage.program = Program(words, stage.changed, self._bounds)
        program.start(self._reactor)
        await self._untilItListens(program, stage)

    async def listens(self, stage: Stage) -> bool:
        """Whether a program that we have started still listens; if not, it has had time to end."""
        program = self.program
        if program is None or listens(*self.address, self._transport) is not False:
            return True
        await stage.until(lambda: program.over, limit=1.0)
        return False

    def stop(self) -> Deferred[None]:
        """End the program, if there is one; fires when nothing of it is left."""
        program, self.program = self.program, None
        return succeed(None) if program is None else program.kill()

    async def again(self, stage: Stage) -> None:
        """
        End it, and start it at once on the same port.

        @raise Failed: it does not listen again.
        """
        stage.note("examiner", "ends the program, and starts it again")
        await self.stop()
        await self.ready(stage, samePort=True)

    async def _untilItListens(self, program: Program, stage: Stage) -> None:
        port = self.address[1]
        limit = _START * stage.limits.wait
        there = await stage.until(
            lambda: program.over or listens(*self.address, self._transport) is not False,
            limit=limit,
            asleep=False,
            look=0.01,
        )
        if there and not program.over:
            return
        came = "it does not"
        if program.over and program.status is not None:
            came = f"it has ended with status {program.status}"
        mistake = program.exceeded or (
            Mistake.NO_REUSE if b"Address already in use" in program.stderr else Mistake.NOT_STARTED
        )
        raise Failed(
            Kind.GONE, f"that the program listens on {self._transport} port {port}", came, None, mistake
        )
