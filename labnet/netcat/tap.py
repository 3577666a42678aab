"""
C{twistd labnet-netcat}: the listening side, and the options that both sides share.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.console import Console
from labnet.net.endpoints import DatagramAddress
from labnet.net.layers import LayeredEndpoint
from labnet.net.options import CommandOptions, ServerOptions, UsageError, globalReactor, number
from labnet.net.outcome import ExitStatus
from labnet.net.secure import BadCertificate, SecureServerEndpoint, serverStreams
from labnet.net.service import ClientService
from labnet.netcat.server import converse
from labnet.netcat.session import Manner, Session
from labnet.netcat.wire import BadEscape, unescape

__all__ = ["ConversationOptions", "Options", "makeService", "newSession", "pieces", "serve"]

_LARGEST = 1_048_576


def pieces(text: str) -> tuple[int, ...]:
    """A coercion for C{--chop}: the sizes of the pieces, with commas between them."""
    sizes = tuple(int(word) for word in text.split(",") if word.isascii() and word.isdigit())
    if len(sizes) != text.count(",") + 1 or not 1 <= min(sizes) <= max(sizes) <= _LARGEST:
        raise ValueError(f"--chop: {text!r} is not a size from 1 to {_LARGEST}, nor several with commas")
    return sizes


class ConversationOptions(CommandOptions):
    """How a conversation is led, whoever began it."""

    optFlags = [
        ["hex", "x", "Write both directions in hexadecimal, in place of what is received."],
        [
            "escapes",
            "e",
            r"Read \n \r \t \0 \xNN \\ in each line of input; the line's own end is not sent.",
        ],
        ["narrate", "v", "Say on standard error who connected, who sent FIN or RST, and when."],
        [
            "no-input",
            "d",
            "Do not read standard input; our half stays open as long as the peer's.",
        ],
        ["keep-open", "k", "When listening: several peers, at a time and one after another."],
        ["tls", None, "TLS over the connection."],
    ]
    optParameters = [
        ["chop", None, None, "Send pieces of so many bytes; several sizes, as 1,4,4, take turns.",
         pieces],
        ["pause", None, 0.0, "Seconds between two pieces.", number(float, "pause", 0.0)],
        ["send", None, None, "Send this in place of standard input."],
        ["quit", "q", None, "Once one side has ended, end after so many seconds of silence [default: "
         "wait; 2 over UDP and with --keep-open].", number(float, "quit", 0.0)],
        ["cert", None, None, "When listening with --tls: a file (PEM) with the certificate [default: "
         "one is made]."],
        ["key", None, None, "The file with its private key [default: the same file]."],
    ]  # fmt: skip

    given: bytes | None = None

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self["send"] is not None:
            if self["no-input"] or self["keep-open"]:
                raise UsageError("--send goes neither with --no-input nor with --keep-open")
            self.given = self["send"].encode("utf-8", "surrogateescape")
            if self["escapes"]:
                try:
                    self.given = unescape(self.given)
                except BadEscape as error:
                    raise UsageError(f"--send: {error}") from error
        if (self["cert"] or self["key"]) and not self["tls"]:
            raise UsageError("--cert and --key go with --tls")
        if self["key"] and not self["cert"]:
            raise UsageError("--key goes with --cert")

    def manner(self, datagrams: bool, *, probe: bool = False) -> Manner:
        """How the conversation is led."""
        patience = self["quit"]
        if patience is None and (datagrams or self["keep-open"]):
            patience = 2.0
        return Manner(
            hexadecimal=bool(self["hex"]),
            escapes=bool(self["escapes"]),
            chop=self["chop"] or (),
            pause=self["pause"],
            given=self.given,
            noInput=bool(self["no-input"]),
            probe=probe,
            patience=patience,
            keep=bool(self["keep-open"]),
            narrate=bool(self["narrate"]),
        )


def newSession(reactor: Any, manner: Manner, console: Console) -> Session:
    """A session on the process's standard input and output."""
    interactive = sys.__stdin__ is not None and sys.__stdin__.isatty()
    session = Session(reactor, manner, console.complain, interactive)
    console.attach(session, output=True)
    return session


class Options(ConversationOptions, ServerOptions):
    """The options of the listening side."""

    synopsis = "[options]"
    longdesc = "Listens, and joins standard input and output to whoever comes."

    entry: ClassVar[Entry] = entryFor("netcat", Kind.SERVER)
    optFlags: ClassVar[list[list[str | None]]] = []  # type: ignore[assignment, misc]
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 0.0, "max-connections": 100}

    def postOptions(self) -> None:
        super().postOptions()
        if self["tls"] and any(isinstance(one.where, DatagramAddress) for one in self.listening):
            raise UsageError("--tls does not go with udp:")
        if self["tls"]:
            try:
                serverStreams(self["cert"], self["key"])
            except BadCertificate as error:
                raise UsageError(f"--cert: {error}") from error


async def serve(reactor: Any, options: Options, console: Console) -> ExitStatus:
    """Listen where the options say, lead the conversation, and return the exit status."""
    places: list[Any] = [one.where for one in options.listening]
    datagrams = any(isinstance(place, DatagramAddress) for place in places)
    session = newSession(reactor, options.manner(datagrams), console)
    if options["tls"]:
        streams, fingerprint = serverStreams(options["cert"], options["key"])
        session.narrate(f"our certificate's SHA-256 is {fingerprint}")
        # The layers are above TLS, where the bytes are plain.
        places = [
            LayeredEndpoint(
                SecureServerEndpoint(reactor, streams, place.endpoint), options.layers, reactor, "netcat"
            )
            for place in places
        ]
    return await converse(reactor, session, places, limits=options.limits, sockets=options.sockets)


def makeService(options: Options) -> ClientService:
    """The listening side as a service that ends the process when the conversation is over."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: serve(reactor, options, Console()))
