"""
The one table of everything labnet offers.

The C{twistd} plugins, the lab, the command line and the documentation all read L{CATALOGUE}; nothing
lists the services a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["CATALOGUE", "Entry", "Kind", "clientCalled", "clients", "entryFor", "servers"]


class Kind(Enum):
    """What an L{Entry} does when it is started."""

    SERVER = "server"
    CLIENT = "client"
    LAB = "lab"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One row: a server, a client, or the lab itself.

    @ivar name: the name people type, in the lab's TOML file and after C{labnet}; unique within its kind.
    @ivar kind: what it does when started.
    @ivar tap: the module with its C{Options} and C{makeService}; a client's has C{run} as well.
    @ivar endpoints: for a server, the descriptions it listens on when told nothing; for a client, the
        one it connects to, if there is one that all would want.
    @ivar line: what it is for, in one line.
    @ivar called: what a client is called after C{labnet}, if it has a shorter name there.
    @ivar foreground: whether a server talks through the process's own standard input and output. There is
        one of each, so the lab does not start it.
    @ivar dissection: the module that takes its conversations apart (L{labnet.net.dissection}), or empty.
    """

    name: str
    kind: Kind
    tap: str
    endpoints: tuple[str, ...]
    line: str
    called: str = ""
    foreground: bool = False
    dissection: str = ""

    @property
    def command(self) -> str:
        """What a client is called after C{labnet}."""
        return self.called or self.name

    @property
    def plugin(self) -> str:
        """The name of its C{twistd} plugin."""
        if self.kind is Kind.LAB:
            return self.name
        return f"labnet-{self.name}" + ("-client" if self.kind is Kind.CLIENT else "")


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "labnet",
        Kind.LAB,
        "labnet.lab.tap",
        (),
        "The whole lab: every server at once, or those a TOML file names.",
    ),
    Entry(
        "discovery",
        Kind.SERVER,
        "labnet.discovery.tap",
        ("udp:10001:interface=127.0.0.1",),
        "The UDP address server: tells clients where a service is.",
        dissection="labnet.discovery.dissection",
    ),
    Entry(
        "calculator",
        Kind.SERVER,
        "labnet.calculator.tap",
        ("tcp:9000:interface=127.0.0.1", "udp:9001:interface=127.0.0.1"),
        "The calculator over packed structs, TCP and UDP, in ten dialects.",
        dissection="labnet.calculator.dissection",
    ),
    Entry(
        "relay",
        Kind.SERVER,
        "labnet.relay.tap",
        ("tcp:9002:interface=127.0.0.1",),
        "Joins TCP to UDP, TCP to TCP, or UDP to UDP.",
        dissection="labnet.relay.dissection",
    ),
    Entry(
        "proxy",
        Kind.SERVER,
        "labnet.proxy.tap",
        ("tcp:8080:interface=127.0.0.1",),
        "The filtering HTTP proxy: answers 404 for what contains a blocked string.",
        dissection="labnet.proxy.dissection",
    ),
    Entry(
        "greeting",
        Kind.SERVER,
        "labnet.greeting.tap",
        ("tcp:50000:interface=127.0.0.1",),
        "Greets whoever connects, and closes.",
        dissection="labnet.greeting.dissection",
    ),
    Entry(
        "echo",
        Kind.SERVER,
        "labnet.echo.tap",
        (
            "tcp:8081:interface=127.0.0.1",
            "upper=tcp:8082:interface=127.0.0.1",
            "ack=tcp:8083:interface=127.0.0.1",
            "raw=tcp:7007:interface=127.0.0.1",
            "framed=tcp:7008:interface=127.0.0.1",
            "udp:50000:interface=127.0.0.1",
            "upper=udp:8082:interface=127.0.0.1",
            "ack=udp:8083:interface=127.0.0.1",
            "raw=udp:7007:interface=127.0.0.1",
        ),
        "Says what it hears, in five styles, over TCP and UDP.",
        dissection="labnet.echo.dissection",
    ),
    Entry(
        "collector",
        Kind.SERVER,
        "labnet.collector.tap",
        ("tcp:9090:interface=127.0.0.1",),
        "Reads to the end of the stream, and shows the pieces as they arrived.",
        dissection="labnet.collector.dissection",
    ),
    Entry(
        "classic",
        Kind.SERVER,
        "labnet.classic.tap",
        (
            "discard=tcp:7009:interface=127.0.0.1",
            "daytime=tcp:7013:interface=127.0.0.1",
            "qotd=tcp:7017:interface=127.0.0.1",
            "chargen=tcp:7019:interface=127.0.0.1",
            "time=tcp:7037:interface=127.0.0.1",
        ),
        "The small services of old: discard, daytime, qotd, chargen, time.",
        dissection="labnet.classic.dissection",
    ),
    Entry(
        "web",
        Kind.SERVER,
        "labnet.web.tap",
        ("tcp:15000:interface=127.0.0.1",),
        "Says hello to browsers, and answers /lame/ broken on purpose.",
        dissection="labnet.proxy.dissection",
    ),
    Entry(
        "netcat",
        Kind.SERVER,
        "labnet.netcat.tap",
        ("tcp:31337:interface=127.0.0.1",),
        "The listening side of netcat: standard input and output to whoever comes.",
        foreground=True,
    ),
    Entry(
        "chat",
        Kind.SERVER,
        "labnet.chat.tap",
        (
            "tcp:9999:interface=127.0.0.1",
            "line=tcp:9998:interface=127.0.0.1",
            "framed=tcp:9997:interface=127.0.0.1",
            "web=tcp:9996:interface=127.0.0.1",
        ),
        "One chat room for plain, line and framed sockets, and for browsers.",
        dissection="labnet.chat.dissection",
    ),
    Entry(
        "files",
        Kind.SERVER,
        "labnet.files.tap",
        (
            "tcp:5000:interface=127.0.0.1",
            "framed=tcp:5001:interface=127.0.0.1",
            "http=tcp:5002:interface=127.0.0.1",
        ),
        "The files of a folder: the course's protocol, a framed one, and HTTP.",
        dissection="labnet.files.dissection",
    ),
    Entry(
        "checksum",
        Kind.SERVER,
        "labnet.netcopy.checksumtap",
        ("tcp:9093:interface=127.0.0.1",),
        "Keeps checksums under identifiers, for as long as was asked for.",
        dissection="labnet.netcopy.checksumdissection",
    ),
    Entry(
        "netcopy",
        Kind.SERVER,
        "labnet.netcopy.tap",
        ("tcp:9094:interface=127.0.0.1",),
        "Takes a file over a bare stream, and compares its checksum.",
        dissection="labnet.netcopy.dissection",
    ),
    Entry(
        "guess",
        Kind.SERVER,
        "labnet.guess.tap",
        ("tcp:9095:interface=127.0.0.1",),
        "Guess a number: several players, and the first who names it wins.",
        dissection="labnet.guess.dissection",
    ),
    Entry(
        "dashboard",
        Kind.SERVER,
        "labnet.dashboard.tap",
        ("tcp:9080:interface=127.0.0.1",),
        "A page that shows who is connected, and what is sent piece by piece.",
        dissection="labnet.proxy.dissection",
    ),
    Entry(
        "calculator",
        Kind.CLIENT,
        "labnet.calculator.clienttap",
        ("tcp:127.0.0.1:9000",),
        "Asks a calculator: labnet calculator 12 + 34",
    ),
    Entry(
        "discovery",
        Kind.CLIENT,
        "labnet.discovery.clienttap",
        ("udp:127.0.0.1:10001",),
        "Asks the address server where a service is, or lists what is registered.",
    ),
    Entry(
        "greeting",
        Kind.CLIENT,
        "labnet.greeting.clienttap",
        ("tcp:127.0.0.1:50000",),
        "Connects, and prints what it is greeted with.",
    ),
    Entry(
        "echo",
        Kind.CLIENT,
        "labnet.echo.clienttap",
        ("tcp:127.0.0.1:8081",),
        "Says something to an echo, over TCP or UDP: labnet echo hello",
    ),
    Entry(
        "collector",
        Kind.CLIENT,
        "labnet.collector.clienttap",
        ("tcp:127.0.0.1:9090",),
        "Sends arguments, or standard input, in pieces.",
    ),
    Entry(
        "web",
        Kind.CLIENT,
        "labnet.web.clienttap",
        ("tcp:127.0.0.1:15000",),
        "Asks a web server, and shows how it answers: labnet get URL",
        called="get",
    ),
    Entry(
        "scan",
        Kind.CLIENT,
        "labnet.scan.clienttap",
        (),
        "Scans the ports of a machine of your own: labnet scan HOST [PORTS]",
    ),
    Entry(
        "names",
        Kind.CLIENT,
        "labnet.names.clienttap",
        (),
        "Looks up names, addresses and services, in every way there is.",
    ),
    Entry(
        "netcat",
        Kind.CLIENT,
        "labnet.netcat.clienttap",
        ("tcp:127.0.0.1:31337",),
        "Connects or listens, TCP, UDP, TLS or UNIX: labnet nc HOST PORT",
        called="nc",
    ),
    Entry(
        "chat",
        Kind.CLIENT,
        "labnet.chat.clienttap",
        ("tcp:127.0.0.1:9998",),
        "Talks in a chat room, at a terminal or in a pipe.",
    ),
    Entry(
        "files",
        Kind.CLIENT,
        "labnet.files.clienttap",
        ("tcp:127.0.0.1:5001",),
        "Gets, puts and lists files: labnet files get NAME",
    ),
    Entry(
        "netcopy",
        Kind.CLIENT,
        "labnet.netcopy.clienttap",
        ("tcp:127.0.0.1:9094",),
        "Sends a file, and announces its checksum: labnet netcopy FILE",
    ),
    Entry(
        "guess",
        Kind.CLIENT,
        "labnet.guess.clienttap",
        ("tcp:127.0.0.1:9095",),
        "Plays guess a number, by halves.",
    ),
    Entry(
        "export",
        Kind.CLIENT,
        "labnet.export.clienttap",
        (),
        "Writes what was recorded as a file for Wireshark: labnet export FILE",
    ),
    Entry(
        "proxy-selftest",
        Kind.CLIENT,
        "labnet.proxyselftest.clienttap",
        (),
        "Tries every way around a filtering proxy, and tells what got through.",
    ),
    Entry(
        "check",
        Kind.CLIENT,
        "labnet.check.clienttap",
        (),
        "Examines anyone's server or client, and names its mistakes: labnet check",
    ),
    Entry(
        "demo",
        Kind.CLIENT,
        "labnet.demo.clienttap",
        (),
        "Shows the classic mistakes with sockets, measured, and their cures.",
    ),
    Entry(
        "authority",
        Kind.CLIENT,
        "labnet.authority.clienttap",
        (),
        "Makes the lab's certificate authority, and lets it sign: labnet ca",
        called="ca",
    ),
)


def entryFor(name: str, kind: Kind) -> Entry:
    """
    The row of that name and kind.

    @raise KeyError: there is none.
    """
    for entry in CATALOGUE:
        if entry.name == name and entry.kind is kind:
            return entry
    raise KeyError(name)


def clientCalled(word: str) -> Entry:
    """
    The client of that name, long or short.

    @raise KeyError: there is none.
    """
    for entry in clients():
        if word in (entry.command, entry.name):
            return entry
    raise KeyError(word)


def servers() -> tuple[Entry, ...]:
    """The rows the lab can start, in the order in which it starts them."""
    return tuple(entry for entry in CATALOGUE if entry.kind is Kind.SERVER and not entry.foreground)


def clients() -> tuple[Entry, ...]:
    """The rows that are commands of C{labnet}."""
    return tuple(entry for entry in CATALOGUE if entry.kind is Kind.CLIENT)
