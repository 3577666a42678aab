"""
C{twistd labnet-echo}: the echoes, any number of them, each in its style.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.echo.dampening import Patience
from labnet.echo.server import EchoDatagramProtocol, EchoFactory
from labnet.echo.wire import Echo, Frames, Lines, Pieces, Style
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import Listening, ServerOptions, UsageError, choice, number
from labnet.net.service import DatagramListener, Listener, StreamListener

__all__ = ["FRAMED", "Options", "makeService"]

#: What is said in place of a style for messages with their length in front.
FRAMED = "framed"
_WORDS = (*(style.value for style in Style), FRAMED)


class Options(ServerOptions):
    """The echo's options."""

    synopsis = "[options]"
    longdesc = "Answers with what it hears, in a style for each place it listens on."

    entry: ClassVar[Entry] = entryFor("echo", Kind.SERVER)
    variants: ClassVar[tuple[str, ...]] = _WORDS

    optParameters = [
        ["style", "s", Style.PREFIX.value,
         "Style of the listeners that name none of their own (as in --listen upper=tcp:8082): "
         + ", ".join(_WORDS) + ".",
         choice("style", _WORDS)],
        ["repeats", None, Patience().repeats,
         "UDP: how often the same message from one port is answered again before the port must be silent "
         "for a second; 0: no limit.",
         number(int, "repeats", 0)],
        ["unbroken", None, Patience().unbroken,
         "UDP: messages from one port that are answered before it must be silent for a second; 0: no "
         "limit.",
         number(int, "unbroken", 0)],
    ]  # fmt: skip

    optFlags = [["line", None, "TCP: a message is a line, and not what one read delivered."]]

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if self.styleOf(listening) == FRAMED and isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: framed is for streams, not for udp")

    def styleOf(self, listening: Listening) -> str:
        """The style of a listener, or L{FRAMED}."""
        return listening.variant or str(self["style"])

    def echoOf(self, listening: Listening) -> Callable[[], Echo]:
        """What makes the echo of one stream."""
        style = self.styleOf(listening)
        if style == FRAMED:
            return Frames
        return partial(Lines if self["line"] else Pieces, Style(style))

    @property
    def patience(self) -> Patience:
        """What is answered to one port before it has to be silent."""
        return Patience(repeats=self["repeats"], unbroken=self["unbroken"])


def makeService(options: Options) -> MultiService:
    """The echo as a service: a listener for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        service.addService(_listener(options, listening))
    return service


def _listener(options: Options, listening: Listening) -> Listener:
    reactor, style = options.reactor, options.styleOf(listening)
    if isinstance(listening.where, DatagramAddress):
        answering = EchoDatagramProtocol(
            reactor, Style(style), patience=options.patience, limits=options.datagramLimits
        )
        return DatagramListener("echo", reactor, listening.where, answering, style)
    factory = EchoFactory(
        reactor, options.echoOf(listening), limits=options.limits, sockets=options.sockets
    )
    detail = f"{style}, lines" if options["line"] and style != FRAMED else style
    return StreamListener("echo", listening.where, factory, detail)
