"""
The options that every server shares, and the shape of every command line.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from getopt import GetoptError, gnu_getopt
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, ClassVar, NoReturn, TypeVar

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import ILogObserver
from twisted.python.usage import Options, UsageError

from labnet.catalogue import Entry
from labnet.net import logs
from labnet.net.endpoints import (
    BadEndpoint,
    DatagramAddress,
    isDatagram,
    parseDatagramAddress,
    parseStreamServer,
)
from labnet.net.faulting import FaultSwitch
from labnet.net.faults import BadFaults, Faults
from labnet.net.layers import LayeredEndpoint, Layers
from labnet.net.limits import DatagramLimits, Limits
from labnet.net.logfile import STANDARD_OUTPUT
from labnet.net.logs import jsonLogObserver, processLog
from labnet.net.passwords import BadPasswordFile, PasswordHash, parsePasswords
from labnet.net.redaction import BadExpression, Redaction
from labnet.net.sockets import SocketOptions
from labnet.net.trace import Bounds
from labnet.net.tracelog import lookerFor

__all__ = [
    "TRACE_FLAG",
    "TRACE_PARAMETERS",
    "CommandOptions",
    "Listening",
    "ServerOptions",
    "UsageError",
    "choice",
    "globalReactor",
    "logAsJSON",
    "number",
    "optionsFirst",
    "readPasswords",
]

_Number = TypeVar("_Number", int, float)


def number(
    kind: Callable[[str], _Number], name: str, lowest: _Number, highest: _Number | None = None
) -> Callable[[str], _Number]:
    """
    A coercion for C{optParameters}: a finite number of that kind, within bounds, or one line that says so.
    """

    def coerce(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not lowest <= value < math.inf or (highest is not None and value > highest):
            bounds = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"--{name}: {text!r} is not {what} {bounds}")
        return value

    return coerce


def choice(name: str, allowed: Iterable[str]) -> Callable[[str], str]:
    """A coercion for C{optParameters}: one of a few words, or one line that lists them."""
    words = tuple(allowed)

    def coerce(text: str) -> str:
        if text not in words:
            raise ValueError(f"--{name}: {text!r} is none of {', '.join(words)}")
        return text

    return coerce


def _faults(line: str) -> Faults:
    """A coercion for C{optParameters}: what is to be broken."""
    try:
        return Faults.parse(line)
    except BadFaults as error:
        raise ValueError(f"--faults: {error}") from error


#: What is said of traces on the command line of each server, and of the lab.
TRACE_FLAG: list[str | None] = [
    "trace", None, "Write into the log what comes and goes on each connection, and how it ends.",
]  # fmt: skip
TRACE_PARAMETERS: list[list[Any]] = [
    ["trace-file", None, None, "Like --trace, but into this file; - is standard output."],
    ["trace-bytes", None, 64, "With --trace: bytes of each piece that are shown.",
     number(int, "trace-bytes", 0, Bounds().pieceBytes)],
]  # fmt: skip


def optionsFirst(options: Options, arguments: Sequence[str] | None) -> list[str]:
    """
    The same command line with the options before everything else, where C{usage.Options} looks for them;
    a person may write them anywhere. What can not be read is left as it is, for C{options} to complain.
    """
    given = list(arguments or ())
    try:
        found, rest = gnu_getopt(given, options.shortOpt, options.longOpt)
    except GetoptError:
        return given
    valued = {f"--{name[:-1]}" for name in options.longOpt if name.endswith("=")}
    valued |= {f"-{letter}" for letter, colon in pairwise(options.shortOpt) if colon == ":"}
    first: list[str] = []
    for option, value in found:
        first += (option, value) if option in valued else (option,)
    return [*first, "--", *rest]


def readPasswords(option: str, path: str) -> dict[str, PasswordHash]:
    """
    The file of passwords that an option names.

    @return: the hashes by name.
    @raise UsageError: it can not be read, or a line is mistaken.
    """
    try:
        return parsePasswords(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"--{option}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--{option}: {path}: not UTF-8 at byte {error.start}") from error
    except BadPasswordFile as error:
        raise UsageError(f"--{option}: {path}: {error}") from error


def globalReactor() -> Any:
    """The reactor, installed by now: C{twistd} has read its own C{--reactor} before our options."""
    from twisted.internet import reactor

    return reactor


def logAsJSON(options: Options) -> None:
    """
    Let C{twistd} or C{twist}, whose options stand above C{options}, log through our JSON observer. With
    neither above it (in a test, in an application of one's own) nothing happens.
    """
    runner: dict[str, Any] | None = getattr(options, "parent", None)
    if runner is None:
        return
    if "fileLogObserverFactory" in runner:

        def factory(stream: IO[str]) -> ILogObserver:
            return jsonLogObserver(stream)

        runner["fileLogObserverFactory"] = factory
    else:
        processLog.fileName = runner.get("logfile") or ("-" if runner.get("nodaemon") else "twistd.log")
        runner["logger"] = f"{logs.__name__}.processLog"


class CommandOptions(Options):
    """
    What all command lines of labnet share: a mistake is one line, and under C{twistd} and C{twist} the end
    of the process with status 1.

    @ivar entry: the row in the catalogue.
    """

    entry: ClassVar[Entry]

    def getSynopsis(self) -> str:
        """How it is called: below C{twistd} as a plugin, else as a command of C{labnet}'s."""
        synopsis = super().getSynopsis()
        return synopsis if self.parent is not None else f"Usage: labnet {self.entry.command} {synopsis}"

    def opt_version(self) -> NoReturn:
        """Display the version of labnet and exit."""
        sys.stdout.write(f"labnet {version('labnet')}\n")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read a command line.

        @raise UsageError: it is mistaken.
        @raise SystemExit: the same, below C{twistd} or C{twist}. Left to them it would be a page of usage
            as well, and with Twisted 24.11 an end with status 0.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except UsageError as error:
            text = str(error).removeprefix("Parameter type enforcement failed: ")
            if self.parent is not None:
                raise SystemExit(f"{self.parent.subCommand}: {text}") from error
            raise UsageError(text) from error


@dataclass(frozen=True, slots=True)
class Listening:
    """
    One place to listen on.

    @ivar description: as it was given.
    @ivar variant: which kind of the service listens there (a calculator's profile), or empty.
    @ivar where: the endpoint, or the datagram address.
    """

    description: str
    variant: str
    where: IStreamServerEndpoint | DatagramAddress


class ServerOptions(CommandOptions):
    """
    The options of every server: where it listens, and its limits.

    @cvar entry: the server's row in the catalogue.
    @cvar variants: what may stand before C{=} in C{--listen}; empty when there is only one kind.
    @cvar references: the options that say where another server is: by option, its name in the catalogue
        and its transport, C{"tcp"} or C{"udp"}. In the lab they move with its ports, and one that is not
        given is filled in when that server has started earlier.
    @cvar suited: defaults that suit this service better than the common ones.
    @ivar listening: where to listen, checked; there after C{postOptions}.
    @ivar layers: what stands between its transports and its protocols. It may be changed until the service
        starts.
    """

    entry: ClassVar[Entry]
    variants: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[dict[str, tuple[str, str]]] = {}
    suited: ClassVar[dict[str, object]] = {}

    optParameters = [
        ["max-connections", None, 10_000, "Connections at the same time; 0: no limit.",
         number(int, "max-connections", 0)],
        ["max-per-peer", None, 0, "Of these, from one address; 0: no limit.",
         number(int, "max-per-peer", 0)],
        ["idle-timeout", None, 300.0, "Seconds a connection may go without a whole message; 0: no limit.",
         number(float, "idle-timeout", 0.0)],
        ["lifetime", None, 0.0, "Seconds a connection may last in all; 0: no limit.",
         number(float, "lifetime", 0.0)],
        ["grace", None, 5.0, "Seconds that requests in flight get when the service stops.",
         number(float, "grace", 0.0)],
        ["datagram-rate", None, 1_000.0, "Datagrams a second answered from one address; 0: no limit.",
         number(float, "datagram-rate", 0.0)],
        ["datagram-total", None, 20_000.0, "Datagrams a second answered in all; 0: no limit.",
         number(float, "datagram-total", 0.0)],
        ["no-delay", None, "on", "TCP_NODELAY, on or off: send small segments at once.",
         choice("no-delay", ("on", "off"))],
        ["keep-alive", None, "on", "SO_KEEPALIVE, on or off: notice a peer that vanished.",
         choice("keep-alive", ("on", "off"))],
        ["send-buffer", None, 0, "SO_SNDBUF in bytes; 0: the system's choice.",
         number(int, "send-buffer", 0, 2**31 - 1)],
        ["receive-buffer", None, 0, "SO_RCVBUF in bytes; 0: the system's choice.",
         number(int, "receive-buffer", 0, 2**31 - 1)],
        ["faults", None, "", "Break the network on purpose, for example cut=3 or delay=40ms.", _faults],
        *TRACE_PARAMETERS,
    ]  # fmt: skip

    optFlags = [
        ["json-logs", None, "Write the log as one JSON object a line."],
        TRACE_FLAG,
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self["trace-redact"] = []
        for name, value in self.suited.items():
            self[name] = self.defaults[name] = value
        self.listening: tuple[Listening, ...] = ()
        self.layers = Layers()

    def opt_listen(self, description: str) -> None:
        """
        Where to listen: a Twisted endpoint description, or udp:PORT:interface=ADDRESS. May be
        repeated. Without interface= it is the loopback interface.
        """
        self["listen"].append(description)

    def opt_trace_redact(self, expression: str) -> None:
        """
        Hide what this regular expression finds in a trace, or only its groups. May be repeated.
        """
        self["trace-redact"].append(expression)

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self["faults"]:
            self.layers.faults = FaultSwitch(self["faults"])
        self._readTrace()
        descriptions = self["listen"] or self.entry.endpoints
        try:
            self.listening = tuple(self._parse(description) for description in descriptions)
        except BadEndpoint as error:
            raise UsageError(f"--listen: {error}") from error
        if self["json-logs"]:
            logAsJSON(self)

    def _readTrace(self) -> None:
        try:
            redaction = Redaction.of(self["trace-redact"])
        except BadExpression as error:
            raise UsageError(f"--trace-redact: {error}") from error
        name = self["trace-file"]
        if name is not None and name != STANDARD_OUTPUT:
            folder = os.path.dirname(os.path.abspath(name))
            if os.path.isdir(name) or not name:
                raise UsageError(f"--trace-file: {name!r} is not a file")
            if not os.path.isdir(folder):
                raise UsageError(f"--trace-file: {name}: there is no directory {folder}")
        self.layers.redaction = redaction
        if self["trace"] or name is not None:
            self.layers.looker = lookerFor(name, self["trace-bytes"])

    def _parse(self, given: str) -> Listening:
        variant, description = "", given
        head, equals, rest = given.partition("=")
        if equals and ":" not in head:
            variant, description = head, rest
            if variant not in self.variants:
                raise UsageError(
                    f"--listen: {given!r}: {variant!r} is none of {', '.join(self.variants)}"
                    if self.variants
                    else f"--listen: {given!r}: nothing stands before tcp: or udp: here"
                )
        if isDatagram(description):
            address = replace(parseDatagramAddress(description), layers=self.layers)
            return Listening(given, variant, address)
        endpoint = parseStreamServer(self.listeningReactor, description)
        where = LayeredEndpoint(endpoint, self.layers, self.reactor, self.entry.name, variant)
        return Listening(given, variant, where)

    @property
    def limits(self) -> Limits:
        """The limits as the service's factory takes them."""
        return Limits(
            maxConnections=self["max-connections"],
            maxPerPeer=self["max-per-peer"],
            idleTimeout=self["idle-timeout"],
            lifetime=self["lifetime"],
            grace=self["grace"],
        )

    @property
    def datagramLimits(self) -> DatagramLimits:
        """The limits as the service's datagram protocol takes them."""
        return DatagramLimits(perSource=self["datagram-rate"], total=self["datagram-total"])

    @property
    def sockets(self) -> SocketOptions:
        """The TCP options as the service's factory takes them."""
        return SocketOptions(
            noDelay=self["no-delay"] == "on",
            keepAlive=self["keep-alive"] == "on",
            sendBuffer=self["send-buffer"],
            receiveBuffer=self["receive-buffer"],
        )

    @property
    def reactor(self) -> Any:
        """The reactor that the service runs in."""
        return globalReactor()

    @property
    def listeningReactor(self) -> Any:
        """The reactor that listens on the service's endpoints: the same, unless a subclass has another."""
        return self.reactor
