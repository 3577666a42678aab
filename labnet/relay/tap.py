"""
C{twistd labnet-relay}: joins TCP to UDP, TCP to TCP, or UDP to UDP.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import MultiService

from labnet.calculator.wire import DEFAULT_PROFILE, PROFILES, Profile
from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.endpoints import (
    LOOPBACK,
    BadEndpoint,
    DatagramAddress,
    DatagramTarget,
    isDatagram,
    parseDatagramTarget,
    parseStreamClient,
)
from labnet.net.options import Listening, ServerOptions, UsageError, choice, number
from labnet.net.service import DatagramListener, Listener, StreamListener
from labnet.relay.client import Upstream
from labnet.relay.datagrams import ClientLimits, DatagramRelay
from labnet.relay.server import RequestRelayFactory, StreamRelayFactory
from labnet.relay.wire import AnswerCache, Tampering, parseTampering

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The relay's options."""

    synopsis = "[options]"
    longdesc = (
        "Relays what comes to where it listens. Which pair it is follows from --listen and --to: TCP to "
        "UDP (calculator requests), TCP to TCP (any bytes), or UDP to UDP (any datagrams)."
    )

    entry: ClassVar[Entry] = entryFor("relay", Kind.SERVER)
    references: ClassVar[dict[str, tuple[str, str]]] = {"to": ("calculator", "udp")}
    # A stream takes two descriptors, and a loop of relays ends where there are no more connections.
    suited: ClassVar[dict[str, object]] = {"max-connections": 1_000}

    optParameters = [
        ["to", "t", "udp:127.0.0.1:9001", "Where to: udp:HOST:PORT, tcp:HOST:PORT, or another of "
         "Twisted's client endpoints."],
        ["profile", "p", None, "Which requests TCP clients send, or --tamper changes: "
         + ", ".join(PROFILES) + f" [default: {DEFAULT_PROFILE.name}].",
         choice("profile", PROFILES)],
        ["timeout", None, 1.0, "TCP to UDP: seconds to wait for a reply to each try.",
         number(float, "timeout", 0.001, 3600.0)],
        ["tries", None, 3, "TCP to UDP: how often a request is sent.", number(int, "tries", 1, 100)],
        ["pipeline", None, 32, "TCP to UDP: requests of one client under way at a time.",
         number(int, "pipeline", 1, 10_000)],
        ["max-exchanges", None, 256, "TCP to UDP: requests, and sockets, under way in all.",
         number(int, "max-exchanges", 1, 30_000)],
        ["cache-ttl", None, 0.0, "TCP to UDP: seconds for which an answer is kept; 0: ask each time.",
         number(float, "cache-ttl", 0.0)],
        ["tamper", None, None, "To UDP: change every request, for example a=+1,b=*2 or op=-."],
        ["connect-timeout", None, 10.0, "TCP to TCP: seconds to reach the other side.",
         number(float, "connect-timeout", 0.001, 3600.0)],
        ["expire", None, 30.0, "UDP to UDP: seconds of silence after which a client is forgotten.",
         number(float, "expire", 0.001)],
        ["max-clients", None, 1_024, "UDP to UDP: clients at a time.",
         number(int, "max-clients", 1, 30_000)],
    ]  # fmt: skip

    target: DatagramTarget | None = None
    tampering: Tampering | None = None

    def postOptions(self) -> None:
        super().postOptions()
        try:
            if isDatagram(self["to"]):
                self.target = parseDatagramTarget(self["to"])
            else:
                parseStreamClient(self.reactor, self["to"], self["connect-timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--to: {error}") from error
        if self["tamper"] is not None:
            try:
                self.tampering = parseTampering(self["tamper"])
            except ValueError as error:
                raise UsageError(f"--tamper: {error}") from error
        for listening in self.listening:
            self._check(listening)

    def _check(self, listening: Listening) -> None:
        """That this listener, the target and the options make sense together."""
        given = listening.description
        if isinstance(listening.where, DatagramAddress):
            if self.target is None:
                raise UsageError(f"--listen {given}: UDP can only be relayed --to udp:HOST:PORT")
            if self["cache-ttl"]:
                raise UsageError(
                    f"--cache-ttl: not with --listen {given}: between UDP and UDP nothing says which "
                    "request a reply is for"
                )
            if (self.target.host, self.target.port) == (listening.where.interface, listening.where.port):
                raise UsageError(f"--to {self['to']}: the relay would send to itself")
        elif self.target is None:
            for option in ("profile", "cache-ttl", "tamper"):
                if self[option]:
                    raise UsageError(f"--{option} goes with --to udp:HOST:PORT: TCP to TCP takes any bytes")
            if self["to"] == _targetOf(given):
                raise UsageError(f"--to {self['to']}: the relay would connect to itself")

    @property
    def profile(self) -> Profile:
        """How requests look."""
        return PROFILES[self["profile"]] if self["profile"] else DEFAULT_PROFILE


def _targetOf(description: str) -> str:
    """What C{--to} would have to say to reach a TCP listener with a plain description."""
    parts = description.split(":")
    interface = parts[2].removeprefix("interface=") if len(parts) == 3 else LOOPBACK
    return f"tcp:{interface}:{parts[1]}" if parts[0] == "tcp" and len(parts) in (2, 3) else ""


def makeService(options: Options) -> MultiService:
    """
    The relay as a service: a listener for each place to listen on.
    """
    service = MultiService()
    for listening in options.listening:
        service.addService(_listener(options, listening))
    return service


def _listener(options: Options, listening: Listening) -> Listener:
    detail = f"to {options['to']}"
    if isinstance(listening.where, DatagramAddress):
        assert options.target is not None
        answering = _datagramRelay(options, options.target)
        return DatagramListener("relay", options.reactor, listening.where, answering, detail)
    if options.target is not None:
        requests = _requestRelay(options, options.target)
        return StreamListener("relay", listening.where, requests, f"{options.profile.name} {detail}")
    origin = parseStreamClient(options.reactor, options["to"], options["connect-timeout"] + 1.0)
    streams = StreamRelayFactory(
        options.reactor,
        options.layers.towards(origin, options.reactor, "relay", detail),
        connectTimeout=options["connect-timeout"],
        limits=options.limits,
        sockets=options.sockets,
    )
    return StreamListener("relay", listening.where, streams, detail)


def _requestRelay(options: Options, target: DatagramTarget) -> RequestRelayFactory:
    upstream = Upstream(
        options.layers.whereWeAsk(options.reactor, "relay", f"{options.profile.name} to {target}"),
        target,
        options.profile,
        timeout=options["timeout"],
        tries=options["tries"],
        maxExchanges=options["max-exchanges"],
        cache=AnswerCache(options["cache-ttl"]) if options["cache-ttl"] else None,
    )
    return RequestRelayFactory(
        options.reactor,
        upstream,
        options.profile,
        tampering=options.tampering,
        mostPipelined=options["pipeline"],
        limits=options.limits,
        sockets=options.sockets,
    )


def _datagramRelay(options: Options, target: DatagramTarget) -> DatagramRelay:
    most = options["max-clients"]
    return DatagramRelay(
        options.layers.whereWeAsk(options.reactor, "relay", f"to {target}"),
        target,
        clientLimits=ClientLimits(expire=options["expire"], most=most, mostPerHost=max(1, most // 4)),
        tampering=options.tampering,
        profile=options.profile,
        limits=options.datagramLimits,
    )
