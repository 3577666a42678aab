"""
C{labnet discovery} and C{twistd labnet-discovery-client}: ask an address server.
"""

from __future__ import annotations

from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.discovery.client import discover, discoverBinary, listNames, register, unregister
from labnet.discovery.wire import LONGEST_TTL, Address, BadAddress, isName, parseAddress
from labnet.net.console import Console
from labnet.net.endpoints import BadEndpoint, DatagramTarget, parseDatagramTarget
from labnet.net.options import CommandOptions, UsageError, choice, globalReactor, number
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "run"]

_QUESTIONS = ("lookup", "list", "register", "unregister")


class Options(CommandOptions):
    """The options of the address server's client."""

    synopsis = "[options]"
    longdesc = "Asks an address server where the service is, and prints HOST:PORT."

    entry: ClassVar[Entry] = entryFor("discovery", Kind.CLIENT)

    optParameters = [
        ["ask", "a", entry.endpoints[0], "The address server, udp:HOST:PORT."],
        ["form", "f", None, "The course's question, A ('Hello server') or B (GET, a packed struct) "
         "[default: A].",
         choice("form", ("A", "B"))],
        ["lookup", "l", None, "Ask for the service of this name instead."],
        ["register", None, None, "Register NAME=HOST:PORT once, and print for how many seconds."],
        ["unregister", None, None, "Take NAME=HOST:PORT away."],
        ["ttl", None, 60, "With --register: for how many seconds.", number(int, "ttl", 1, LONGEST_TTL)],
        ["timeout", "t", 1.0, "Seconds to wait for each try.", number(float, "timeout", 0.001)],
        ["tries", None, 3, "How often it is asked at most.", number(int, "tries", 1)],
    ]  # fmt: skip

    optFlags = [["list", None, "Print the registered names instead, one a line."]]

    target: DatagramTarget
    entryName: str = ""
    entryAddress: Address | None = None

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            self.target = parseDatagramTarget(self["ask"])
        except BadEndpoint as error:
            raise UsageError(f"--ask: {error}") from error
        asked = [name for name in _QUESTIONS if self[name] not in (None, 0)]
        if len(asked) > 1:
            raise UsageError(f"--{asked[0]} and --{asked[1]}: use one of them")
        if asked and self["form"]:
            raise UsageError("--form goes with the course's question only")
        if self["lookup"] is not None:
            _requireName("lookup", self["lookup"])
        for option in ("register", "unregister"):
            if self[option] is not None:
                self.entryName, self.entryAddress = _parseEntry(option, self[option])


def _requireName(option: str, name: str) -> None:
    if not isName(name):
        raise UsageError(f"--{option}: {name!r} is no name of a service")


def _parseEntry(option: str, text: str) -> tuple[str, Address]:
    name, equals, address = text.partition("=")
    if not equals:
        raise UsageError(f"--{option}: {text!r} is not of the form NAME=HOST:PORT")
    _requireName(option, name)
    try:
        return name, parseAddress(address)
    except BadAddress as error:
        raise UsageError(f"--{option}: {address!r}: {error}") from error


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Ask what the options say, print the answer, and return the exit status."""
    target, often = options.target, {"timeout": options["timeout"], "tries": options["tries"]}
    if options["list"]:
        names, more = await listNames(reactor, target, **often)
        for name in names:
            console.say(name)
        if more:
            console.complain("there are more names than fit the answer")
    elif options.entryAddress is not None and options["register"] is not None:
        name, address = options.entryName, options.entryAddress
        console.say(str(await register(reactor, target, name, address, options["ttl"], **often)))
    elif options.entryAddress is not None:
        await unregister(reactor, target, options.entryName, options.entryAddress, **often)
    elif options["form"] == "B":
        console.say(str(Address(*await discoverBinary(reactor, target, **often))))
    else:
        console.say(str(Address(*await discover(reactor, target, options["lookup"], **often))))
    return ExitStatus.OK


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
