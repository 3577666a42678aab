"""
Layers that break a network on purpose, around anybody's factory or datagram protocol.

They stand between a transport and a protocol. To the protocol a layer is the transport, with everything
that it has; to the transport it is the protocol. What is broken is said by L{labnet.net.faults.Faults}, in
a L{FaultSwitch} that can be turned while a service runs. What is done is in the trace, where there is one
below.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbelow
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from labnet.net.datagramimpairment import Address, DatagramImpairment, Delivery
from labnet.net.faults import Direction, Faults
from labnet.net.faultyconnection import FaultyConnection
from labnet.net.impairment import StreamImpairment, told
from labnet.net.layer import DatagramLayer, LayerFactory, innermost
from labnet.net.logs import Tally
from labnet.net.trace import Happening
from labnet.net.tracing import TracedConnection, TracedDatagrams

__all__ = ["FaultSwitch", "FaultyDatagrams", "FaultyFactory"]

#: Seeds that are chosen are short enough to be typed.
_SEEDS = 1_000_000


class FaultSwitch:
    """
    Which faults are in force, for every connection that begins from now on, and every datagram.

    @ivar current: L{None}: none are. They have a seed always.
    """

    log = Logger()

    def __init__(self, faults: Faults | None = None) -> None:
        self.current = _seeded(faults)

    def set(self, faults: Faults | None) -> None:
        """Turn it. A seed that is missing is chosen; the log has the line."""
        self.current = _seeded(faults)
        self.log.info("faults: {line}", line=str(self.current) if self.current else "none any more")


def _seeded(faults: Faults | None) -> Faults | None:
    return faults.seeded(randbelow(_SEEDS)) if faults is not None and faults.parts else None


class FaultyFactory(LayerFactory):
    """
    Breaks the connections of a factory. A connection to which nothing is done has no layer.

    @param faults: which ones, or the switch that says it.
    @param clock: the reactor, or a C{Clock} in a test.
    @param service: whose connections they are, for the log.
    """

    log = Logger()

    def __init__(
        self,
        wrappedFactory: IProtocolFactory,
        faults: FaultSwitch | Faults | None,
        clock: IReactorTime,
        *,
        service: str = "connection",
    ) -> None:
        super().__init__(wrappedFactory)
        self.switch = faults if isinstance(faults, FaultSwitch) else FaultSwitch(faults)
        self.clock = clock
        self.service = service
        self._counted: tuple[Faults | None, int] = (None, 0)

    def doStart(self) -> None:
        super().doStart()  # type: ignore[no-untyped-call]
        if self.switch.current is not None:
            self.log.info("{service}: faults {line}", service=self.service, line=str(self.switch.current))

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol: IProtocol | None = self.wrappedFactory.buildProtocol(addr)
        faults = self.switch.current
        if protocol is None or faults is None:
            return protocol
        seen, count = self._counted
        number = count + 1 if seen is faults else 1
        self._counted = (faults, number)
        inward, outward = (self._impairment(faults, direction, number) for direction in Direction)
        if inward is None and outward is None:
            return protocol
        line = str(faults.replaying(number))
        return FaultyConnection(self, protocol, inward, outward, number, line)

    def _impairment(self, faults: Faults, direction: Direction, number: int) -> StreamImpairment | None:
        chosen = faults.streams(direction, number)
        if not chosen:
            return None
        return StreamImpairment(
            chosen,
            lambda purpose: faults.random(number, f"{direction.value} {purpose}"),
            now=self.clock.seconds(),
        )

    def happened(self, connection: FaultyConnection, note: str) -> None:
        """Something was broken: it is in the trace, if there is one."""
        below = connection.transport
        if isinstance(below, TracedConnection):
            below.recorder.add(below.conversation, Happening.FAULT, note=note)

    def ended(self, connection: FaultyConnection) -> None:
        """A connection is over: the log has the line that does the same again."""
        self.log.info(
            "{service} #{id}: faults {line} ({summary})",
            service=self.service,
            id=getattr(innermost(connection), "connectionId", connection.number),
            line=connection.line,
            summary=connection.summary() or "nothing was reached",
        )


class _DatagramFlow:
    """One direction of a port, with its timer."""

    def __init__(
        self, clock: IReactorTime, impairment: DatagramImpairment, deliver: Callable[[Delivery], object]
    ) -> None:
        self.impairment = impairment
        self._clock = clock
        self._deliver = deliver
        self._timer: IDelayedCall | None = None
        self._pumping = False

    def received(self, datagram: bytes, address: Address) -> None:
        self.impairment.received(datagram, address, self._clock.seconds())
        self._pump()

    def _pump(self) -> None:
        if self._pumping:
            return
        self._pumping = True
        try:
            while (delivery := self.impairment.take(self._clock.seconds())) is not None:
                self._deliver(delivery)
        finally:
            self._pumping = False
        self.stop()
        at = self.impairment.nextAt()
        if at is not None:
            self._timer = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._pump)

    def stop(self) -> None:
        """What is held now is lost, unless more comes."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


class FaultyDatagrams(DatagramLayer):
    """
    Breaks what comes to a datagram protocol, and what it sends. To the port this is the protocol; to the
    protocol it is the port.

    @param wrapped: what answers.
    @param faults: which ones, or the switch that says it.
    @param clock: the reactor, or a C{Clock} in a test.
    @param service: whose datagrams they are, for the log.
    """

    log = Logger()

    def __init__(
        self,
        wrapped: DatagramProtocol,
        faults: FaultSwitch | Faults | None,
        clock: IReactorTime,
        *,
        service: str = "port",
    ) -> None:
        super().__init__(wrapped)
        self.switch = faults if isinstance(faults, FaultSwitch) else FaultSwitch(faults)
        self.service = service
        self._clock = clock
        self._faults: Faults | None = None
        self._flows: dict[Direction, _DatagramFlow] = {}
        self._tally = Tally(self.log, f"faults at {service}", clock)

    # What the port does.

    def makeConnection(self, transport: Any) -> None:
        if self.switch.current is not None:
            self.log.info("{service}: faults {line}", service=self.service, line=str(self.switch.current))
        super().makeConnection(transport)

    def doStop(self) -> None:
        self._end()
        self._tally.flush()
        super().doStop()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        flow = self._flow(Direction.IN)
        if flow is None:
            self.wrapped.datagramReceived(datagram, addr)
        else:
            flow.received(datagram, addr)

    # What the protocol does.

    def write(self, datagram: bytes, addr: Address = None) -> None:
        """Send."""
        flow = self._flow(Direction.OUT)
        if flow is None:
            super().write(datagram, addr)
        else:
            flow.received(datagram, addr)

    # In between.

    def _flow(self, direction: Direction) -> _DatagramFlow | None:
        if self.switch.current is not self._faults:
            self._begin(self.switch.current)
        return self._flows.get(direction)

    def _begin(self, faults: Faults | None) -> None:
        """The switch was turned: datagrams are counted anew."""
        self._end()
        self._faults = faults
        if faults is None:
            return
        for direction, deliver in ((Direction.IN, self._deliverIn), (Direction.OUT, self._deliverOut)):
            chosen = faults.datagrams(direction)
            if chosen:
                impairment = DatagramImpairment(chosen, _purposes(faults, direction))
                self._flows[direction] = _DatagramFlow(self._clock, impairment, deliver)

    def _end(self) -> None:
        flows, self._flows = self._flows, {}
        for flow in flows.values():
            flow.stop()
        if flows and self._faults is not None:
            done = {way.value: told(flow.impairment.done) for way, flow in flows.items()}
            self.log.info(
                "{service}: faults {line} ({summary})",
                service=self.service,
                line=str(self._faults),
                summary="; ".join(f"{way}: {text}" for way, text in done.items() if text) or "none came",
            )

    def _deliverIn(self, delivery: Delivery) -> None:
        self._happened(Direction.IN, delivery)
        if delivery.datagram is not None and delivery.address is not None:
            try:
                self.wrapped.datagramReceived(delivery.datagram, delivery.address)
            except Exception:
                self.log.failure("a bug in a datagram protocol")

    def _deliverOut(self, delivery: Delivery) -> None:
        self._happened(Direction.OUT, delivery)
        if delivery.datagram is not None:
            try:
                super().write(delivery.datagram, delivery.address)
            except (OSError, MessageLengthError):
                self._tally.add("not sendable")

    def _happened(self, direction: Direction, delivery: Delivery) -> None:
        below = self.transport
        if delivery.note and delivery.address is not None and isinstance(below, TracedDatagrams):
            conversation = below.conversationWith(delivery.address)
            note = f"{direction.value}: {delivery.note}"
            below.recorder.add(conversation, Happening.FAULT, note=note)


def _purposes(faults: Faults, direction: Direction) -> Callable[[str], Any]:
    # All datagrams of a port are one row.
    return lambda purpose: faults.random(1, f"{direction.value} {purpose}")
