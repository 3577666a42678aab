"""
Where demonstrations take place: servers, a network between them that can be broken, and plain programs in
threads, all of it on the loopback interface of this machine.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.threads import deferToThreadPool

from labnet.demo.demonstration import Measured
from labnet.net.connection import ServiceFactory
from labnet.net.endpoints import LOOPBACK
from labnet.net.faulting import FaultSwitch
from labnet.net.faults import Faults
from labnet.net.layers import Layers
from labnet.net.limits import Limits
from labnet.net.logs import shown
from labnet.net.trace import Trace
from labnet.relay.server import StreamRelayFactory

__all__ = ["PATIENCE", "Place", "Program", "Stage"]

#: Seconds that a plain program waits for the other one, unless a demonstration says otherwise.
PATIENCE = 10.0

#: What a plain program does with a connection.
Program = Callable[[socket.socket], object]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Place:
    """
    Somewhere to connect to.

    @ivar port: on the loopback interface.
    @ivar trace: what goes over it, if somebody looks.
    """

    port: int
    trace: Trace = field(default_factory=Trace)


class Stage:
    """
    Servers and programs for as long as a demonstration takes. Close it in the end.

    @param reactor: the one that runs.
    @param seed: of the faults.
    """

    def __init__(self, reactor: Any, seed: int) -> None:
        self.reactor = reactor
        self.seed = seed
        self._ending: list[Callable[[], Coroutine[Any, Any, object]]] = []

    async def serving(self, factory: ServiceFactory, faults: str = "", detail: str = "") -> Place:
        """
        One of our own servers, whose wire is recorded and broken.

        @param detail: which kind of it, for what is said about its messages.
        """
        trace = Trace()
        layers = Layers(trace=trace, faults=FaultSwitch(self.faults(faults)))
        around = layers.around(cast(IProtocolFactory, factory), self.reactor, factory.service, detail)
        endpoint = TCP4ServerEndpoint(self.reactor, 0, interface=LOOPBACK)
        port = await endpoint.listen(around)

        async def end() -> None:
            await cast("Deferred[None]", port.stopListening())
            await factory.finish()

        self._ending.append(end)
        return Place(cast(Any, port.getHost()).port, trace)

    async def between(self, port: int, faults: str = "") -> Place:
        """A network, with faults or without, in front of a port: the relay."""
        origin = TCP4ClientEndpoint(self.reactor, LOOPBACK, port, timeout=5)
        relay = StreamRelayFactory(self.reactor, origin, limits=Limits(grace=0.1))
        return await self.serving(relay, faults)

    def program(self, program: Program) -> int:
        """A plain server in a thread, that takes one client after the other; returns its port."""
        listener = socket.create_server((LOOPBACK, 0))
        running = self.inThread(lambda: _serve(listener, program))

        async def end() -> None:
            # Whoever waits in accept() is woken by this, and not by close().
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            await running

        self._ending.append(end)
        return cast(int, listener.getsockname()[1])

    def inThread(self, call: Callable[[], _Result]) -> Deferred[_Result]:
        """Let something that blocks run, and not block anything else."""
        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), call)

    def faults(self, line: str) -> Faults:
        """The line with the seed of this stage."""
        return Faults.parse(line).seeded(self.seed)

    async def tried(
        self,
        what: str,
        tries: int,
        place: Place,
        client: Program,
        expected: object,
        *,
        patience: float = PATIENCE,
        cure: bool = False,
        seenAt: Place | None = None,
    ) -> Measured:
        """
        Let a plain client do its work so often, once after the other.

        @param expected: what it returns when it has worked.
        @param patience: seconds that it waits for anything.
        @param cure: whether it is the cured one.
        @param seenAt: where to look at what went over the wire, if not where it connects to.
        """
        seen = (seenAt or place).trace.conversations
        before = len(seen)
        outcomes = [
            await self.inThread(lambda: _outcome(place.port, client, patience, expected))
            for _ in range(tries)
        ]
        failed = [number for number, mishap in enumerate(outcomes) if mishap]
        first = failed[0] if failed else 0
        wire = next(islice(seen.values(), before + first, None), None)
        return Measured(what, tries, len(failed), outcomes[first], wire, cure)

    async def close(self) -> None:
        """End everything, the last first."""
        ending, self._ending = self._ending, []
        for end in reversed(ending):
            await end()


def _serve(listener: socket.socket, program: Program) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(PATIENCE)
            # A naive program may fail here, too; its client notices.
            with suppress(Exception):
                program(connection)


def _outcome(port: int, client: Program, patience: float, expected: object) -> str:
    """What went wrong; empty if nothing did."""
    try:
        with socket.create_connection((LOOPBACK, port), PATIENCE) as server:
            server.settimeout(patience)
            result = client(server)
    except TimeoutError:
        return "it waits for something that does not come"
    except Exception as error:
        kind = type(error)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        return f"{name}: {error}"[:200]
    if result == expected:
        return ""
    return f"it got {shown(result) if isinstance(result, (bytes, str)) else result}"
