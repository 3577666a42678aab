"""
C{labnet nc} and C{twistd labnet-netcat-client}: talk to whatever has a socket.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.interfaces import IStreamServerEndpoint

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.console import Console
from labnet.net.endpoints import (
    LOOPBACK,
    BadEndpoint,
    DatagramAddress,
    DatagramTarget,
    isHost,
    parseDatagramAddress,
    parseStreamServer,
)
from labnet.net.limits import Limits
from labnet.net.options import UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ExitStatus
from labnet.net.secure import (
    BadCertificate,
    SecureClientEndpoint,
    SecureServerEndpoint,
    Trust,
    serverStreams,
)
from labnet.net.service import ClientService
from labnet.netcat import client, server
from labnet.netcat.session import Session
from labnet.netcat.tap import ConversationOptions, newSession

__all__ = ["Options", "makeService", "run"]

_DESCRIPTION = re.compile(r"(tcp|tls|udp|unix):(.+)")
_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:]+)):(\w+)")
#: Seconds that connecting may take, if nothing is said of time.
_CONNECTING = 30.0
_MOST_PEERS = 100


class Options(ConversationOptions):
    """
    The options of the command.

    @ivar host: where to connect to, or to listen; a path with C{--unix}.
    @ivar port: there.
    @ivar place: where to listen, if it was given as an endpoint's description.
    """

    synopsis = "[options] [HOST] PORT | -l [HOST] PORT | -U PATH | tcp:HOST:PORT"
    longdesc = (
        "Joins standard input and output to a peer over TCP, UDP, TLS or a UNIX socket. The end of input "
        "ends our half of the connection, and what the peer still sends is read to its end."
    )

    entry: ClassVar[Entry] = entryFor("netcat", Kind.CLIENT)

    optFlags = [
        [
            "listen",
            "l",
            "Listen in place of connecting; on the loopback interface unless HOST says otherwise.",
        ],
        ["udp", "u", "UDP: each read of input is a datagram."],
        ["unix", "U", "A UNIX socket; its path stands in place of HOST PORT."],
        ["probe", "z", "Only connect, and say by the exit status whether somebody listens."],
        ["insecure", None, "With --tls: take any certificate, of anybody."],
    ]
    optParameters = [
        ["wait", "w", None, "Seconds that connecting may take, and that nothing may move afterwards "
         "[default: 30, then for ever].", number(float, "wait", 0.0)],
        ["cafile", None, None, "With --tls: trust the certificates in this file (PEM), and no others."],
        ["servername", None, None, "With --tls: the name the peer must have, if it is not HOST."],
    ]  # fmt: skip

    host = LOOPBACK
    port = 0
    place: IStreamServerEndpoint | DatagramAddress | None = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may also stand behind HOST and PORT."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *words: str) -> None:
        if len(words) > 2:
            raise UsageError(f"{' '.join(words)!r}: at most HOST and PORT")
        self._words = words

    def postOptions(self) -> None:
        super().postOptions()
        self._place(self._words)
        self._agree()
        if self["tls"]:
            self._certificates()

    def _place(self, words: tuple[str, ...]) -> None:
        """Where to connect to, or to listen."""
        if self["unix"] and len(words) != 1:
            raise UsageError("--unix: one PATH is wanted")
        if not words:
            words = self.entry.endpoints
        description = _DESCRIPTION.fullmatch(words[0]) if len(words) == 1 else None
        if self["unix"]:
            self.host = words[0]
        elif description and self["listen"] and words != self.entry.endpoints:
            self._describedPlace(words[0])
        elif description and description[1] == "unix":
            self["unix"], self.host = 1, description[2]
        elif description:
            where = _HOST_PORT.fullmatch(description[2])
            if where is None:
                raise UsageError(f"{words[0]!r} is not of the form {description[1]}:HOST:PORT")
            if description[1] != "tcp":
                self[description[1]] = 1
            self._hostAndPort(where[1] or where[2], where[3])
        else:
            self._hostAndPort(words[0] if len(words) == 2 else LOOPBACK, words[-1])

    def _describedPlace(self, description: str) -> None:
        try:
            if description.startswith("udp:"):
                self["udp"] = 1
                self.place = parseDatagramAddress(description)
            else:
                self.place = parseStreamServer(globalReactor(), description)
        except BadEndpoint as error:
            raise UsageError(str(error)) from error

    def _hostAndPort(self, host: str, port: str) -> None:
        lowest = 0 if self["listen"] else 1
        if not port.isascii() or not port.isdigit() or not lowest <= int(port[:6]) <= 65535:
            raise UsageError(f"{port!r}: the port must be a number from {lowest} to 65535")
        if not isHost(host):
            raise UsageError(f"{host!r} is neither a name nor an address")
        self.host, self.port = host, int(port)
        if self["listen"]:
            address = f"udp:{port}:interface=" + host.replace(":", "\\:")
            try:
                parseDatagramAddress(address)
            except BadEndpoint as error:
                raise UsageError(f"{host!r} is no address to listen on") from error

    def _agree(self) -> None:
        """Options that contradict each other, or would do nothing."""
        if self["udp"] and (self["tls"] or self["unix"]):
            raise UsageError("--udp goes neither with --tls nor with --unix")
        if self["listen"] and (self["probe"] or self["insecure"] or self["cafile"] or self["servername"]):
            raise UsageError("--probe, --insecure, --cafile and --servername do not go with --listen")
        if not self["listen"] and (self["keep-open"] or self["cert"]):
            raise UsageError("--keep-open and --cert go with --listen")
        if not self["tls"] and (self["insecure"] or self["cafile"] or self["servername"]):
            raise UsageError("--insecure, --cafile and --servername go with --tls")
        if self["insecure"] and (self["cafile"] or self["servername"]):
            raise UsageError("--insecure looks neither at --cafile nor at --servername")
        if self["probe"] and self["udp"]:
            raise UsageError("--probe does not go with --udp: nobody would say that they listen")
        verified = self["tls"] and not self["listen"] and not self["insecure"]
        if verified and self["unix"] and not self["servername"]:
            raise UsageError("--tls over a UNIX socket: --servername says whose certificate it must be")

    def _certificates(self) -> None:
        try:
            if self["listen"]:
                serverStreams(self["cert"], self["key"])
            else:
                self.streams()
        except BadCertificate as error:
            raise UsageError(str(error)) from error

    def streams(self) -> Any:
        """The client's side of TLS."""
        host = self["servername"] or self.host
        return Trust(insecure=bool(self["insecure"]), cafile=self["cafile"]).streams(host)


async def run(reactor: Any, options: Options, console: Console) -> ExitStatus:
    """Lead the conversation the options describe, and return the exit status."""
    datagrams = bool(options["udp"])
    manner = options.manner(datagrams, probe=bool(options["probe"]))
    session = newSession(reactor, manner, console)
    if options["listen"]:
        return await _listen(reactor, options, session)
    wait: float = options["wait"] or 0.0
    if datagrams:
        target = DatagramTarget(options.host, options.port)
        return await client.converseOverDatagrams(reactor, session, target, idleTimeout=wait)
    connecting = wait or _CONNECTING
    if options["unix"]:
        endpoint: Any = UNIXClientEndpoint(reactor, options.host, timeout=connecting)
    else:
        endpoint = HostnameEndpoint(reactor, options.host, options.port, timeout=connecting)
    if options["tls"]:
        endpoint = SecureClientEndpoint(reactor, options.streams(), endpoint)
    return await client.converse(reactor, session, endpoint, idleTimeout=wait)


async def _listen(reactor: Any, options: Options, session: Session) -> ExitStatus:
    place: Any = options.place
    if place is None and options["unix"]:
        # Whoever may connect could as well have been given the process's own files.
        place = UNIXServerEndpoint(reactor, options.host, mode=0o600)
    elif place is None and options["udp"]:
        place = DatagramAddress(options.port, options.host)
    elif place is None:
        kind = TCP6ServerEndpoint if ":" in options.host else TCP4ServerEndpoint
        place = kind(reactor, options.port, interface=options.host)
    if options["tls"]:
        streams, fingerprint = serverStreams(options["cert"], options["key"])
        session.narrate(f"our certificate's SHA-256 is {fingerprint}")
        place = SecureServerEndpoint(reactor, streams, place)
    limits = Limits(maxConnections=_MOST_PEERS, idleTimeout=options["wait"] or 0.0)
    announce = not options.port and not options["unix"]
    return await server.converse(reactor, session, [place], limits=limits, announce=announce)


def makeService(options: Options) -> ClientService:
    """The command as a service that ends the process when the conversation is over."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
