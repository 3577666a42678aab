"""
What stands between a service's transports and its protocols, without either knowing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import DatagramProtocol
from zope.interface import directlyProvides, implementer, providedBy

from labnet.net.faulting import FaultSwitch, FaultyDatagrams, FaultyFactory
from labnet.net.layer import innermost
from labnet.net.redaction import Redaction
from labnet.net.trace import Bounds, Looker, Trace
from labnet.net.tracing import Recorder, TracedDatagrams, TracedFactory

__all__ = ["LayeredClientEndpoint", "LayeredEndpoint", "Layers"]


@dataclass(slots=True)
class Layers:
    """
    The layers of one service. Nearest to the wire is the trace, which so sees what really goes over it,
    inside of TLS; then the faults. With none of them a protocol is left as it is, and nothing is paid.

    They are looked at when the service begins to listen.

    @ivar trace: keeps what goes over every connection; L{None}: nobody does.
    @ivar redaction: what to hide of them in the trace; L{None}: what it always hides.
    @ivar faults: what is broken on purpose, of the connections that others make; turned on and off while
        the service runs. L{None}: nothing ever is.
    @ivar looker: told the events of this service, whoever else is told what is in the trace.
    @ivar outgoing: whether connections that the service makes itself are recorded, too.
    """

    trace: Trace | None = None
    redaction: Redaction | None = None
    looker: Looker | None = None
    faults: FaultSwitch | None = None
    outgoing: bool = True
    _passing: Trace | None = field(default=None, init=False, repr=False)

    def around(
        self,
        factory: IProtocolFactory,
        clock: IReactorTime,
        service: str,
        detail: str = "",
        *,
        outgoing: bool = False,
    ) -> IProtocolFactory:
        """
        A factory with the layers around its protocols, or the same if there are none.

        @param outgoing: whether the connections are made by us.
        """
        # From the protocol to the wire: each is around those before.
        if self.faults is not None and not outgoing:
            faulty = FaultyFactory(factory, self.faults, clock, service=service)
            factory = cast(IProtocolFactory, faulty)
        recorder = self._recorder(clock, service, detail, outgoing)
        if recorder is not None:
            factory = cast(IProtocolFactory, TracedFactory(factory, recorder))
        return factory

    def aroundDatagrams(
        self,
        protocol: DatagramProtocol,
        clock: IReactorTime,
        service: str,
        detail: str = "",
        *,
        outgoing: bool = False,
    ) -> DatagramProtocol:
        """
        The same for the protocol of a port for datagrams.

        @param outgoing: whether we ask there.
        """
        if self.faults is not None and not outgoing:
            protocol = FaultyDatagrams(protocol, self.faults, clock, service=service)
        recorder = self._recorder(clock, service, detail, outgoing)
        if recorder is not None:
            protocol = TracedDatagrams(protocol, recorder)
        return protocol

    def towards(
        self, endpoint: IStreamClientEndpoint, clock: IReactorTime, service: str, detail: str = ""
    ) -> IStreamClientEndpoint:
        """An endpoint whose connections have the layers of those that we make, or the same."""
        if self._recorder(clock, service, detail, True) is None:
            return endpoint
        return cast(IStreamClientEndpoint, LayeredClientEndpoint(endpoint, self, clock, service, detail))

    def whereWeAsk(self, reactor: Any, service: str, detail: str = "") -> Any:
        """
        A reactor that puts the layers around the protocols of ports for datagrams that are opened to ask
        somebody, or the same.
        """
        if self._recorder(reactor, service, detail, True) is None:
            return reactor
        return _Asking(reactor, self, service, detail)

    def _recorder(self, clock: IReactorTime, service: str, detail: str, outgoing: bool) -> Recorder | None:
        trace = self.trace
        if trace is None and self.looker is not None:
            # What is only told need not be kept.
            trace = self._passing = self._passing or Trace(Bounds(conversations=0, events=1))
        if trace is None or (outgoing and not self.outgoing):
            return None
        return Recorder(
            trace,
            clock,
            service,
            detail,
            outgoing=outgoing,
            redaction=self.redaction,
            looker=self.looker,
        )


class _Asking:
    """A reactor whose C{listenUDP} puts layers around protocols that ask."""

    def __init__(self, reactor: Any, layers: Layers, service: str, detail: str) -> None:
        self._reactor = reactor
        self._layers = layers
        self._names = (service, detail)
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> IListeningPort:
        layered = self._layers.aroundDatagrams(protocol, self._reactor, *self._names, outgoing=True)
        opened: IListeningPort = self._reactor.listenUDP(port, layered, interface, maxPacketSize)
        return opened


@implementer(IStreamServerEndpoint)
class LayeredEndpoint:
    """
    Listens on another endpoint, with layers around each protocol.

    @ivar endpoint: where.
    @ivar layers: which.
    @param clock: measures the time for them.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        layers: Layers,
        clock: IReactorTime,
        service: str = "",
        detail: str = "",
    ) -> None:
        self.endpoint = endpoint
        self.layers = layers
        self._clock = clock
        self.named(service, detail)

    def named(self, service: str, detail: str) -> None:
        """Whose connections they are, in what the layers tell."""
        self._names = (service, detail)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        return self.endpoint.listen(self.layers.around(protocolFactory, self._clock, *self._names))


@implementer(IStreamClientEndpoint)
class LayeredClientEndpoint:
    """
    Connects to another endpoint, with layers around the protocol.

    @param endpoint: where to.
    @param layers: which.
    @param clock: measures the time for them.
    @param service: who connects.
    @param detail: what for.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        layers: Layers,
        clock: IReactorTime,
        service: str,
        detail: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._layers = layers
        self._clock = clock
        self._names = (service, detail)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fires with the protocol of the factory, without its layers.
        """
        factory = self._layers.around(protocolFactory, self._clock, *self._names, outgoing=True)
        connecting = self._endpoint.connect(factory)
        return connecting if factory is protocolFactory else connecting.addCallback(innermost)
