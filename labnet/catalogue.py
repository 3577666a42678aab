"""
The one table of everything labnet offers.

The C{twistd} plugins, the lab, the command line and the documentation all read L{CATALOGUE}; nothing
lists the services a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["CATALOGUE", "Entry", "Kind", "clients", "entryFor", "servers"]


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
    """

    name: str
    kind: Kind
    tap: str
    endpoints: tuple[str, ...]
    line: str

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
    ),
    Entry(
        "calculator",
        Kind.SERVER,
        "labnet.calculator.tap",
        ("tcp:9000:interface=127.0.0.1", "udp:9001:interface=127.0.0.1"),
        "The calculator over packed structs, TCP and UDP, in ten dialects.",
    ),
    Entry(
        "relay",
        Kind.SERVER,
        "labnet.relay.tap",
        ("tcp:9002:interface=127.0.0.1",),
        "Joins TCP to UDP, TCP to TCP, or UDP to UDP.",
    ),
    Entry(
        "proxy",
        Kind.SERVER,
        "labnet.proxy.tap",
        ("tcp:8080:interface=127.0.0.1",),
        "The filtering HTTP proxy: answers 404 for what contains a blocked string.",
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


def servers() -> tuple[Entry, ...]:
    """The rows the lab can start, in the order in which it starts them."""
    return tuple(entry for entry in CATALOGUE if entry.kind is Kind.SERVER)


def clients() -> tuple[Entry, ...]:
    """The rows that are commands of C{labnet}."""
    return tuple(entry for entry in CATALOGUE if entry.kind is Kind.CLIENT)
