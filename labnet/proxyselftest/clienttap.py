"""
C{labnet proxy-selftest} and C{twistd labnet-proxy-selftest-client}: what gets through a filtering proxy.
"""

from __future__ import annotations

import io
import json
import secrets
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.console import Console
from labnet.net.endpoints import LOOPBACK, isHost
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ExitStatus
from labnet.net.secure import BadCertificate, Trust, VerifiedClientEndpoint
from labnet.net.service import ClientService
from labnet.net.terminal import Progress, tabulated
from labnet.proxyselftest.client import Settings, Trial
from labnet.proxyselftest.client import run as runScenarios
from labnet.proxyselftest.report import COLUMNS, LISTED, asJSON, listing, rows, summary, transcript
from labnet.proxyselftest.scenario import Marker, Scenario
from labnet.proxyselftest.scenarios import SCENARIOS, UnknownScenario, chosen

__all__ = ["Options", "makeService", "run"]

_LONGEST_WORD = 60


class Options(CommandOptions):
    """The options of the self-test."""

    synopsis = "[options]"
    longdesc = (
        "Tries every way around a filtering proxy, with an origin of its own, and tells what got through. "
        "The proxy may be anybody's; it has to block the word. Status 0: nothing got through, and nothing "
        "was broken."
    )

    entry: ClassVar[Entry] = entryFor("proxy-selftest", Kind.CLIENT)

    optParameters = [
        ["proxy", "x", "http://127.0.0.1:8080", "The proxy, http[s]://[USER:PASSWORD@]HOST[:PORT]."],
        ["word", "w", "SzamHalo", "What the proxy blocks."],
        ["timeout", "t", 10.0, "Seconds that each connection of the client may last.",
         number(float, "timeout", 0.1, 3_600.0)],
        ["pause", None, 0.05, "Seconds between two pieces of the origin's, if the proxy passes nothing on.",
         number(float, "pause", 0.0, 60.0)],
        ["at-once", None, 4, "Scenarios at the same time.", number(int, "at-once", 1, 100)],
        ["listen", "l", LOOPBACK, "Where the origin listens, ADDRESS[:PORT]; with a PORT, one scenario at "
         "a time, else on a free port each."],
        ["origin", None, None, "The host by which the proxy reaches the origin, if not that address."],
        ["cafile", None, None, "With https: trust the certificates in this file (PEM), and no others."],
    ]  # fmt: skip

    optFlags = [
        ["reverse", "r", "The proxy stands before our origin, as if it were the site: needs --listen with "
         "a port."],
        ["list", None, "List the scenarios, and run none."],
        ["show", "s", "Show what each side has said, byte for byte."],
        ["json", "j", "Print the result as JSON."],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["only"] = []
        self.scenarios: tuple[Scenario, ...] = SCENARIOS
        self.listening = (LOOPBACK, 0)
        self.credentials = b""
        self.marker = Marker(b"", b"")
        self.secure = False
        self.trust: Trust | None = None
        self.host = LOOPBACK
        self.port = 0

    def opt_only(self, names: str) -> None:
        """
        Only these scenarios, or subjects, with commas between them. May be repeated.
        """
        self["only"] += names.split(",")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere."""
        super().parseOptions(optionsFirst(self, options))

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            self.scenarios = chosen(self["only"])
        except UnknownScenario as error:
            raise UsageError(f"--only: {error}; --list has them all") from error
        word = self["word"].encode("utf-8", "surrogateescape")
        if not 2 <= len(self["word"]) <= _LONGEST_WORD or not self["word"].isprintable():
            raise UsageError(f"--word: from 2 to {_LONGEST_WORD} printable characters")
        self.marker = Marker(word, secrets.token_hex(4).encode() + b"-")
        self._parseProxy(self["proxy"])
        self._parseListen(self["listen"])
        if self["origin"] is not None and not isHost(self["origin"]):
            raise UsageError(f"--origin: {self['origin']!r} is neither a name nor an address")
        if self["origin"] is None and ip_address(self.listening[0]).is_unspecified:
            raise UsageError(
                "--listen: every address: --origin says by which the proxy reaches this machine"
            )
        if self["reverse"] and not self.listening[1]:
            raise UsageError("--reverse: the proxy must know where the origin is: --listen ADDRESS:PORT")
        if self["cafile"] and not self.secure:
            raise UsageError("--cafile goes with a proxy that is https://")
        try:
            self.trust = Trust(cafile=self["cafile"]) if self.secure else None
        except BadCertificate as error:
            raise UsageError(f"--cafile: {error}") from error

    def _parseProxy(self, url: str) -> None:
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError as error:
            raise UsageError(f"--proxy: not of the form http://HOST:PORT: {error}") from error
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not isHost(host) or parts.path.strip("/"):
            raise UsageError("--proxy: not of the form http[s]://[USER:PASSWORD@]HOST[:PORT]")
        self.secure = parts.scheme == "https"
        self.host, self.port = host, port or (443 if self.secure else 80)
        if parts.username is not None:
            named, password = parts.username, parts.password or ""
            self.credentials = unquote_to_bytes(named) + b":" + unquote_to_bytes(password)

    def _parseListen(self, text: str) -> None:
        address, port = text, "0"
        if not isIPv6Address(text):
            head, colon, tail = text.rpartition(":")
            if colon:
                address, port = head.strip("[]"), tail
        literal = isIPAddress(address) or isIPv6Address(address)
        if not literal or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
            raise UsageError(f"--listen: {text!r} is not of the form ADDRESS or ADDRESS:PORT")
        self.listening = (address, int(port))

    @property
    def shownProxy(self) -> str:
        """The proxy's URL without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    def settings(self, reactor: Any) -> Settings:
        """How the scenarios are run."""
        timeout = self["timeout"]
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            reactor, self.host.encode("idna"), self.port, timeout=timeout
        )
        if self.trust is not None:
            endpoint = VerifiedClientEndpoint(reactor, self.trust.streams(self.host), endpoint)
        address, port = self.listening
        return Settings(
            endpoint,
            self.marker,
            self.credentials,
            timeout,
            self["pause"],
            interface=address,
            port=port,
            origin=self["origin"] or address,
            reverse=bool(self["reverse"]),
        )


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Run the scenarios, print what came of them, and return the exit status."""
    if options["list"]:
        console.say(tabulated(LISTED, listing(options.scenarios)))
        return ExitStatus.OK
    startedAt = reactor.seconds()
    scenarios = options.scenarios
    with Progress(sys.__stderr__ or io.StringIO(), "scenarios", len(scenarios), size=False) as progress:
        trials = await runScenarios(
            reactor,
            scenarios,
            options.settings(reactor),
            atOnce=options["at-once"],
            progress=progress.reached,
        )
    seconds = reactor.seconds() - startedAt
    findings = [trial.finding for trial in trials]
    if options["json"]:
        console.say(json.dumps(asJSON(findings, options.shownProxy, options["word"], seconds)))
    else:
        _tell(console, options, trials, seconds)
    bad = any(finding.outcome.bad for finding in findings)
    return ExitStatus.ANSWERED_ERROR if bad else ExitStatus.OK


def _tell(console: Console, options: Options, trials: Sequence[Trial], seconds: float) -> None:
    findings = [trial.finding for trial in trials]
    if options["show"]:
        for trial in trials:
            console.say(transcript(trial) + "\n")
    console.say(tabulated(COLUMNS, rows(findings)))
    console.say(f"\n{summary(findings)}, in {seconds:.1f} s")
    bad = next((finding for finding in findings if finding.outcome.bad), None)
    if bad is not None and not options["show"]:
        again = f"--proxy {options.shownProxy} --only {bad.scenario.name} --show"
        console.say(f"to see one byte for byte: labnet-proxy-selftest {again}")


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
