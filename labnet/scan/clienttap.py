"""
C{labnet scan} and C{twistd labnet-scan-client}: which ports of a machine of one's own are open.
"""

from __future__ import annotations

import io
import json
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor, servers
from labnet.names.client import addresses
from labnet.net.console import Console
from labnet.net.endpoints import LOOPBACK
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from labnet.net.terminal import Progress, tabulated
from labnet.scan.client import Pace, Scan, mostAtOnce
from labnet.scan.identify import MOST_ASKED, identifyAll
from labnet.scan.policy import Ownership, refusal
from labnet.scan.ports import BadPorts, parsePorts
from labnet.scan.report import COLUMNS, Identities, asJSON, heading, rows, summary
from labnet.scan.target import MOST_ADDRESSES, Address, BadTarget, Target, parseTarget
from labnet.scan.verdict import ScannedHost
from labnet.scan.wire import Identity

__all__ = ["MOST_OF_A_NAME", "Options", "labPorts", "makeService", "resolved", "run"]

#: Addresses that one name may lead to.
MOST_OF_A_NAME = 16

_PORT_CHARACTERS = frozenset("0123456789,-")


#: Where a server of the lab listens unless told otherwise, as the catalogue has it.
_ENDPOINT = re.compile(r"(?:(\w+)=)?(tcp|udp):(\d+)(?::.*)?")


@cache
def labPorts(transport: str = "tcp") -> dict[int, str]:
    """
    The lab's own services by the ports they have unless told otherwise.

    @param transport: C{tcp} or C{udp}.
    """
    return {
        int(match[3]): f"{entry.name} ({match[1]})" if match[1] else entry.name
        for entry in servers()
        for endpoint in entry.endpoints
        if (match := _ENDPOINT.fullmatch(endpoint)) and match[2] == transport
    }


def serviceOf(port: int) -> str:
    """The service that one expects on a port: the lab's own, or the system's; empty if nobody knows."""
    own = labPorts().get(port)
    if own is not None:
        return f"labnet {own}"
    try:
        return socket.getservbyport(port, "tcp")
    except OSError:
        return ""


def _defaultPorts() -> tuple[int, ...]:
    return tuple(sorted({*range(1, 1025), *labPorts()}))


class Options(CommandOptions):
    """The options of the port scanner."""

    synopsis = "[options] HOST ... [PORTS]"
    longdesc = (
        "Tries to connect to ports of HOST: a name, an address, [IPV6] or a network such as "
        "192.168.1.0/24. PORTS is a list such as 22,80,8000-8100; - is every port. Without it: 1-1024 and "
        "the lab's own. Only loopback and private addresses are scanned, unless --yes-this-is-mine names "
        "another."
    )

    entry: ClassVar[Entry] = entryFor("scan", Kind.CLIENT)

    optParameters = [
        ["timeout", "t", 1.0, "Seconds that each attempt gets.", number(float, "timeout", 0.01, 60.0)],
        ["tries", None, 3, "Attempts without an answer before a port counts as filtered.",
         number(int, "tries", 1, 20)],
        ["at-once", None, 2_000, "Attempts at the same time, as far as there are descriptors.",
         number(int, "at-once", 1, 60_000)],
        ["rate", "r", 0.0, "Attempts a second; 0: no limit.", number(float, "rate", 0.0)],
        ["name-timeout", None, 5.0, "Seconds to wait for the addresses of a name.",
         number(float, "name-timeout", 0.01, 60.0)],
    ]  # fmt: skip

    optFlags = [
        ["identify", "i", "Ask the open ports who is there, in the lab's protocols, HTTP and TLS."],
        ["json", "j", "Print the result as JSON."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["yes-this-is-mine"] = []
        self.targets: tuple[Target, ...] = ()
        self.ports: tuple[int, ...] = _defaultPorts()

    def opt_yes_this_is_mine(self, host: str) -> None:
        """
        Scan this host although its address is neither loopback nor private. May be repeated; a name
        or an address, no network.
        """
        self["yes-this-is-mine"].append(host)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *arguments: str) -> None:
        hosts = list(arguments)
        try:
            if len(hosts) > 1 and set(hosts[-1]) <= _PORT_CHARACTERS:
                self.ports = parsePorts(hosts.pop())
            self.targets = tuple(parseTarget(host) for host in hosts or [LOOPBACK])
        except (BadPorts, BadTarget) as error:
            raise UsageError(str(error)) from error

    @property
    def mine(self) -> Ownership:
        """What was said to be one's own."""
        return Ownership(parseTarget(host) for host in self["yes-this-is-mine"])

    @property
    def pace(self) -> Pace:
        """How fast to go."""
        return Pace(min(self["at-once"], mostAtOnce()), self["timeout"], self["tries"], self["rate"])

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            named = [parseTarget(host) for host in self["yes-this-is-mine"]]
        except BadTarget as error:
            raise UsageError(f"--yes-this-is-mine: {error}") from error
        for target in named:
            if target.isNetwork:
                raise UsageError(f"--yes-this-is-mine: {target.text}: name each host, not a network")
        for target in self.targets:
            reason = refusal(target, target.addresses, self.mine)
            if reason is not None:
                raise UsageError(reason)
        if sum(len(target.addresses) or 1 for target in self.targets) > MOST_ADDRESSES:
            raise UsageError(f"over {MOST_ADDRESSES} addresses")


@dataclass(slots=True)
class _Findings:
    """What came of a scan."""

    hosts: list[ScannedHost]
    attempts: int = 0
    seconds: float = 0.0
    identities: dict[tuple[Address, int], Identity] = field(default_factory=dict)


async def resolved(
    reactor: Any, targets: Sequence[Target], mine: Ownership, timeout: float
) -> list[tuple[Target, Address]]:
    """
    The addresses of the targets, each address once. Names are looked up here and not again, so what was
    allowed is what is scanned.

    @raise ClientError: an address is not allowed, or a name leads to more than L{MOST_OF_A_NAME}.
    @raise twisted.internet.error.DNSLookupError: a name has no address.
    """
    found: dict[Address, Target] = {}
    for target in targets:
        places = target.addresses
        if not places:
            looked = await addresses(reactor, target.text, timeout=timeout)
            places = tuple(dict.fromkeys(ip_address(place.host) for place in looked))
        if not target.addresses and len(places) > MOST_OF_A_NAME:
            problem = f"{target.text} has {len(places)} addresses; name those that you mean"
            raise ClientError(problem, ExitStatus.USAGE)
        reason = refusal(target, places, mine)
        if reason is not None:
            raise ClientError(reason, ExitStatus.USAGE)
        for place in places:
            found.setdefault(place, target)
    return [(target, place) for place, target in found.items()]


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Scan what the options say, print what was found, and return the exit status."""
    places = await resolved(reactor, options.targets, options.mine, options["name-timeout"])
    hosts = [ScannedHost(target.text, place, options.ports) for target, place in places]
    findings = await _scanned(reactor, hosts, options)
    if options["json"]:
        console.say(
            json.dumps(
                asJSON(
                    findings.hosts,
                    serviceOf,
                    findings.identities,
                    seconds=findings.seconds,
                    attempts=findings.attempts,
                )
            )
        )
    else:
        _tell(console, findings)
    if options["identify"]:
        _tellWhatWasNotAsked(console, findings)
    return ExitStatus.OK


async def _scanned(reactor: Any, hosts: list[ScannedHost], options: Options) -> _Findings:
    startedAt = reactor.seconds()
    findings = _Findings(hosts)
    stream = sys.__stderr__ or io.StringIO()
    total = sum(len(host.ports) for host in hosts)
    with Progress(stream, "ports", total, size=False) as progress:
        scanning = Scan(reactor, hosts, options.pace, progress.reached)
        await scanning.run()
    findings.attempts = scanning.attempts
    if options["identify"]:
        open_ = [(host.address, port) for host in hosts for port in host.open]
        with Progress(stream, "questions", min(len(open_), MOST_ASKED), size=False) as progress:
            findings.identities = await identifyAll(reactor, open_, progress=progress.reached)
    findings.seconds = reactor.seconds() - startedAt
    return findings


def _tell(console: Console, findings: _Findings) -> None:
    for host in findings.hosts:
        console.say(heading(host))
        found = rows(host, serviceOf, findings.identities)
        if found:
            console.say(_table(found, findings.identities, console.width))
        console.say(f"{summary(host)}\n")
    console.say(f"{findings.attempts} attempts in {findings.seconds:.2f} s")


def _table(found: Sequence[Sequence[str]], identities: Identities, width: int | None) -> str:
    columns = len(COLUMNS) if identities else len(COLUMNS) - 1
    return tabulated(COLUMNS[:columns], [row[:columns] for row in found], width)


def _tellWhatWasNotAsked(console: Console, findings: _Findings) -> None:
    unasked = sum(len(host.open) for host in findings.hosts) - len(findings.identities)
    if unasked > 0:
        console.complain(f"{unasked} open ports were not asked: more than {MOST_ASKED} are a trap")
    datagrams = ", ".join(f"{name} {port}" for port, name in sorted(labPorts("udp").items()))
    console.complain(f"not seen, because they are UDP: the lab's {datagrams}")


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
