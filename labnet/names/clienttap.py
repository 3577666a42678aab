"""
C{labnet names} and C{twistd labnet-names-client}: look up names, addresses, services and bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.names.client import Family, NotAnAddress, addressToBytes, courseAddressToBytes
from labnet.names.report import COLUMNS, Answer, asJSON, unanswered
from labnet.names.survey import Survey
from labnet.net.console import Console
from labnet.net.endpoints import isHost
from labnet.net.options import (
    CommandOptions,
    UsageError,
    choice,
    globalReactor,
    number,
    optionsFirst,
)
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService
from labnet.net.terminal import tabulated

__all__ = ["Options", "makeService", "run"]

_FAMILIES = {"both": None, "4": Family.IPV4, "6": Family.IPV6}
_HIGHEST_PORT = 65_535


class Options(CommandOptions):
    """The options of the look-ups."""

    synopsis = "[options] [HOST [SERVICE]]"
    longdesc = (
        "Asks all look-up functions of the course about HOST, a name or an address, and about SERVICE, a "
        "name or a port. Without either, and without --service and --bytes, it is about this host."
    )

    entry: ClassVar[Entry] = entryFor("names", Kind.CLIENT)

    optParameters = [
        ["service", "s", None, "A service without a host: its name or its port."],
        ["bytes", "b", None, "The bytes of an address in hexadecimal: 7f000001."],
        ["family", "f", "both", "Addresses of which family: both, 4 or 6.", choice("family", _FAMILIES)],
        ["timeout", "t", 5.0, "Seconds to wait for each answer.", number(float, "timeout", 0.001, 3600.0)],
    ]  # fmt: skip

    optFlags = [["json", "j", "Print the answers as JSON."]]

    host: str | None = None
    data: bytes | None = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, host: str | None = None, service: str | None = None) -> None:
        if host is not None:
            self.host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if service is not None:
            if self["service"] is not None:
                raise UsageError("SERVICE and --service: use one of them")
            self["service"] = service

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self.host is not None and not _canBeAsked(self.host):
            raise UsageError(f"{self.host!r} is neither a name nor an address")
        service = self["service"]
        if service is not None:
            if not service or not service.isascii() or not service.isprintable():
                raise UsageError(f"{service!r} is neither the name of a service nor a port")
            if service.isdecimal() and not 0 < int(service) <= _HIGHEST_PORT:
                raise UsageError(f"port {service}: ports go from 1 to {_HIGHEST_PORT}")
        if self["bytes"] is not None:
            try:
                self.data = bytes.fromhex(self["bytes"].replace(":", " "))
            except ValueError as error:
                raise UsageError(f"--bytes: {self['bytes']!r} is not hexadecimal") from error
            if len(self.data) not in (4, 16):
                raise UsageError(f"--bytes: {len(self.data)} bytes are no address; 4 or 16 are")


def _canBeAsked(host: str) -> bool:
    return bool(host) and len(host) <= 255 and (isHost(host) or _isAddress(host))


def _isAddress(text: str) -> bool:
    """Whether it is an address, also in a way that only the course's function takes."""
    for convert in (addressToBytes, courseAddressToBytes):
        try:
            convert(text)
        except NotAnAddress:
            continue
        return True
    return False


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Ask what the options say, print the answers, and return the exit status."""
    survey = Survey(reactor, _FAMILIES[options["family"]], options["timeout"])
    service: str | None = options["service"]
    host = options.host
    if host is None and service is None and options.data is None:
        host = await survey.thisHost()
    if options.data is not None:
        await survey.bytes(options.data)
    if host is not None:
        if _isAddress(host):
            await survey.address(host)
        await survey.host(host, service)
    if service is not None:
        await survey.service(service)
    if options["json"]:
        console.say(json.dumps(asJSON(survey.answers)))
    else:
        _tell(console, survey.answers)
    problem = unanswered(survey.answers)
    return problem.status if problem is not None else ExitStatus.OK


def _tell(console: Console, answers: Sequence[Answer]) -> None:
    console.say(tabulated(COLUMNS, [row for answer in answers for row in answer.rows()], console.width))


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
