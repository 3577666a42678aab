"""
C{twistd labnet-calculator}: the calculator, on any number of listeners and profiles.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address

from labnet.calculator.arithmetic import Division
from labnet.calculator.server import CalculatorDatagramProtocol, CalculatorFactory, Dialect
from labnet.calculator.wire import DEFAULT_PROFILE, PROFILES
from labnet.catalogue import Entry, Kind, entryFor
from labnet.discovery.client import Registration
from labnet.net.endpoints import BadEndpoint, DatagramAddress, DatagramTarget, parseDatagramTarget
from labnet.net.options import Listening, ServerOptions, UsageError, choice, number
from labnet.net.service import DatagramListener, Listener, StreamListener, listeners

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The calculator's options."""

    synopsis = "[options]"
    longdesc = "A calculator over packed structs, one request format and one reply format a listener."

    entry: ClassVar[Entry] = entryFor("calculator", Kind.SERVER)
    variants: ClassVar[tuple[str, ...]] = tuple(PROFILES)
    references: ClassVar[dict[str, tuple[str, str]]] = {"register": ("discovery", "udp")}

    optParameters = [
        ["profile", "p", DEFAULT_PROFILE.name,
         "Dialect of the listeners that name none of their own (as in --listen net=tcp:9010): "
         + ", ".join(PROFILES) + ".",
         choice("profile", PROFILES)],
        ["division", None, None, "What / means: floor, trunc or true; unset, what the profile means.",
         choice("division", [division.value for division in Division])],
        ["requests-per-connection", None, 0, "Close after so many replies; 0: never.",
         number(int, "requests-per-connection", 0)],
        ["register", None, None, "Register with this address server (udp:HOST:PORT) while running."],
        ["name", None, "calculator", "The name to register under."],
    ]  # fmt: skip

    optFlags = [["modulo", None, "Let % be an operator."]]

    target: DatagramTarget | None = None

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            try:
                self.dialect(listening)
            except ValueError as error:
                raise UsageError(f"--division: {error}") from error
        if self["register"]:
            try:
                self.target = parseDatagramTarget(self["register"])
            except BadEndpoint as error:
                raise UsageError(f"--register: {error}") from error

    def dialect(self, listening: Listening) -> Dialect:
        """How a listener calculates."""
        division = Division(self["division"]) if self["division"] else None
        profile = PROFILES[listening.variant or self["profile"]]
        return Dialect(profile, division, bool(self["modulo"]))


def makeService(options: Options) -> MultiService:
    """
    The calculator as a service: a listener for each place to listen on, and the registration.
    """
    service = MultiService()
    for listening in options.listening:
        service.addService(_listener(options, listening))
    if options.target is not None:
        service.addService(
            Registration(options.reactor, options.target, lambda: _addresses(options, service))
        )
    return service


def _addresses(options: Options, service: MultiService) -> list[tuple[str, str, int]]:
    """
    What to register, as name, host and port. A listener of another profile has a name of its own, for
    its clients must not be sent to the others: other than C{--profile} when a name was given with it,
    other than the course's when not, for then the name is everybody's.
    """
    usual = options["profile"] if options["name"] != options.defaults["name"] else DEFAULT_PROFILE.name
    addresses = []
    for listener in listeners(service):
        if isinstance(listener, StreamListener) and listener.port is not None:
            where = listener.port.getHost()
            if isinstance(where, (IPv4Address, IPv6Address)):
                own = listener.detail != usual
                name = options["name"] + (f"-{listener.detail}" if own else "")
                addresses.append((name, where.host, where.port))
    return addresses


def _listener(options: Options, listening: Listening) -> Listener:
    reactor, dialect = options.reactor, options.dialect(listening)
    if isinstance(listening.where, DatagramAddress):
        answering = CalculatorDatagramProtocol(reactor, dialect, limits=options.datagramLimits)
        return DatagramListener("calculator", reactor, listening.where, answering, dialect.profile.name)
    factory = CalculatorFactory(
        reactor,
        dialect,
        requestsPerConnection=options["requests-per-connection"],
        limits=options.limits,
        sockets=options.sockets,
    )
    return StreamListener("calculator", listening.where, factory, dialect.profile.name)
