"""
Several servers as one service that knows how they hang together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from twisted.application.service import IService, MultiService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from labnet.net.endpoints import LOOPBACK
from labnet.net.service import Listener, Onlooker, StreamListener, listeners

__all__ = ["LabService", "Part", "table"]

_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}


@dataclass(frozen=True, slots=True)
class Part:
    """
    One server of the lab, not yet built.

    @ivar service: its name in the catalogue.
    @ivar number: which of its kind, or 0 when there is one.
    @ivar build: makes the service, given the options that were still open; raises C{ValueError} never,
        for everything else was checked before.
    @ivar open: the options to be filled with where another server of the lab listens: by option, its
        name and its transport, C{"tcp"} or C{"udp"}. Left out where the lab has no such server.
    @ivar uses: the names of the services it talks to while it runs.
    """

    service: str
    number: int
    build: Callable[[Mapping[str, str]], IService]
    open: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    uses: frozenset[str] = frozenset()


class LabService(MultiService):
    """
    Starts its parts one after another, so that each can be told where the earlier ones listen, says in
    the log when all of them do, and stops each before those it uses.

    @param parts: what to run, in the order of starting.
    @raise labnet.net.service.CannotStart: from C{privilegedStartService} or C{startService}: one of them
        can not listen.
    """

    log = Logger()

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.parts = tuple(parts)
        self._started: list[tuple[Part, IService]] = []

    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        for part in self.parts:
            service = part.build(self._filled(part.open))
            if isinstance(service, Onlooker):
                service.others = self
            self.addService(service)  # type: ignore[no-untyped-call]
            self._started.append((part, service))
            service.privilegedStartService()

    def startService(self) -> None:
        if not self._started:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        Deferred.fromCoroutine(self._announce()).addErrback(
            lambda failure: self.log.failure("a bug in the lab", failure=failure)
        )

    def stopService(self) -> Deferred[None]:
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    def listening(self) -> list[tuple[str, str, str]]:
        """What listens now: service, detail, address."""
        return [
            (listener.serviceName, _detail(part, listener), listener.address)
            for part, service in self._started
            for listener in listeners(service)
        ]

    def _filled(self, missing: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        filled = {}
        for option, (service, transport) in missing.items():
            address = self._addressOf(service, transport)
            if address is not None:
                filled[option] = address
        return filled

    def _addressOf(self, service: str, transport: str) -> str | None:
        """How to reach the first listener of that service and transport, or L{None}."""
        for part, started in self._started:
            for listener in listeners(started) if part.service == service else ():
                where = listener.port.getHost() if listener.port is not None else None
                if isinstance(where, (IPv4Address, IPv6Address)) and where.type.lower() == transport:
                    host = _EVERYWHERE.get(where.host, where.host).replace(":", "\\:")
                    return f"{transport}:{host}:{where.port}"
        return None

    async def _announce(self) -> None:
        every = [listener for _, service in self._started for listener in listeners(service)]
        for listener in every:
            if isinstance(listener, StreamListener) and listener.listening is not None:
                await listener.listening
        if not self.running:
            return
        rows = self.listening()
        head, *lines = table([("service", "detail", "address"), *rows])
        self.log.info("{row}", row=head)
        for line, (service, detail, address) in zip(lines, rows, strict=True):
            self.log.info("{row}", row=line, service=service, detail=detail, address=address)
        deaf = [listener.serviceName for listener in every if listener.port is None]
        if deaf:
            self.log.error("labnet is not ready: no port for {deaf}", deaf=", ".join(deaf))
        else:
            self.log.info("labnet is ready")

    async def _stop(self) -> None:
        running, self._started = self._started, []
        while running:
            used = {name for part, _ in running for name in part.uses - {part.service}}
            # Parts that use each other in a circle end together.
            ending = [entry for entry in running if entry[0].service not in used] or running
            running = [entry for entry in running if entry not in ending]
            await DeferredList([maybeDeferred(service.stopService) for _, service in ending])
        for service in tuple(cast("Iterable[IService]", self)):
            self.removeService(service)  # type: ignore[no-untyped-call]


def _detail(part: Part, listener: Listener) -> str:
    """Which of several: C{[2] net} is what messages call C{calculator[2]}, on its profile C{net}."""
    which = f"[{part.number}]" if part.number else ""
    return " ".join(word for word in (which, listener.detail) if word)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines, with columns below each other."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
