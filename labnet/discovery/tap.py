"""
C{twistd labnet-discovery}: the UDP address server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.discovery.registry import Registry
from labnet.discovery.server import COURSE_ADDRESS, DiscoveryProtocol, Policy
from labnet.discovery.wire import LONGEST_REQUEST, Address, BadAddress, fitsText, isName, parseAddress
from labnet.net.endpoints import DatagramAddress
from labnet.net.limits import DatagramLimits
from labnet.net.options import Listening, ServerOptions, UsageError
from labnet.net.service import DatagramListener

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The address server's options."""

    synopsis = "[options]"
    longdesc = "Tells clients where a service is. Services register themselves, with a line of text."

    entry: ClassVar[Entry] = entryFor("discovery", Kind.SERVER)
    references: ClassVar[dict[str, tuple[str, str]]] = {"address": ("calculator", "tcp")}
    # A client asks once, a service renews every few seconds; who asks more often is no client.
    suited: ClassVar[dict[str, object]] = {"datagram-rate": 200.0}

    optParameters = [
        ["answer", None, "calculator",
         "The registered name that answers the course's questions ('Hello server', GET)."],
        ["address", None, str(COURSE_ADDRESS),
         "HOST:PORT that answers them when nothing is registered; empty: no answer."],
    ]  # fmt: skip

    optFlags = [
        ["accept-foreign", None, "Let anyone register any address, not only its own."],
    ]

    fallback: Address | None = None

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if not isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r} is not of the form udp:PORT")
        if not isName(self["answer"]):
            raise UsageError(f"--answer: {self['answer']!r} is no name of a service")
        self.fallback = self._fallback()

    def _fallback(self) -> Address | None:
        text = self["address"]
        if not text:
            return None
        try:
            address = parseAddress(text)
        except BadAddress as error:
            raise UsageError(f"--address: {text!r}: {error}") from error
        if not fitsText(address):
            raise UsageError(f"--address: {text!r}: the course's clients can not read an IPv6 address")
        return address

    @property
    def policy(self) -> Policy:
        """What the address server says, and whom it believes."""
        return Policy(self["answer"], self.fallback, bool(self["accept-foreign"]))

    @property
    def datagramLimits(self) -> DatagramLimits:
        return replace(super().datagramLimits, maxSize=LONGEST_REQUEST)


def makeService(options: Options) -> MultiService:
    """
    The address server as a service: all places it listens on tell of the same registrations.
    """
    service = MultiService()
    registry = Registry()
    for listening in options.listening:
        service.addService(_listener(options, listening, registry))
    return service


def _listener(options: Options, listening: Listening, registry: Registry) -> DatagramListener:
    assert isinstance(listening.where, DatagramAddress)
    answering = DiscoveryProtocol(
        options.reactor, options.policy, registry=registry, limits=options.datagramLimits
    )
    return DatagramListener("discovery", options.reactor, listening.where, answering)
