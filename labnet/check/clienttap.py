"""
C{labnet check} and C{twistd labnet-check-client}: examine anyone's server or client.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.check.addition import asScenario
from labnet.check.collection import contractFor, contracts
from labnet.check.contractfile import BadContractFile, ContractFile, parse
from labnet.check.examination import Planned, Settings, examine
from labnet.check.gradescope import asGradescope
from labnet.check.htmlreport import asHTML
from labnet.check.jsonreport import asObject
from labnet.check.junit import asJUnit
from labnet.check.program import Bounds
from labnet.check.scenario import Contract, Scenario, Side
from labnet.check.stage import Limits
from labnet.check.textreport import WIDTH, asText, listing
from labnet.check.verdict import Outcome, Subject, Verdict
from labnet.net.console import Console
from labnet.net.endpoints import LOOPBACK, isHost
from labnet.net.options import CommandOptions, UsageError, choice, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from labnet.net.terminal import Progress

__all__ = ["FORMATS", "Options", "makeService", "run"]

FORMATS: dict[str, Callable[[Verdict], str]] = {
    "text": asText,
    "json": lambda verdict: json.dumps(asObject(verdict), indent=1),
    "junit": asJUnit,
    "gradescope": lambda verdict: json.dumps(asGradescope(verdict), indent=1),
    "html": asHTML,
}


# Columns below which a report is no better for being narrower.
_NARROWEST = 60


class Options(CommandOptions):
    """The options of the examiner."""

    synopsis = "SERVICE (--server ENDPOINT | --client) [options] [-- COMMAND ...]"
    longdesc = (
        "Examines a server, anybody's: labnet check calculator --server tcp:127.0.0.1:9000. Or a client: "
        "labnet check "
        "calculator --client -- python3 client.py {host} {port}. With a command behind --server it starts "
        "the server "
        "itself; {host} and {port} are replaced. Status 0: everything passed; 1: something failed. "
        "Services: "
        + ", ".join(contracts()) + "."
    )  # fmt: skip

    entry: ClassVar[Entry] = entryFor("check", Kind.CLIENT)

    optParameters = [
        ["server", "s", None, "The server, tcp:HOST:PORT or udp:HOST:PORT; port 0 for a free one."],
        ["port", "p", 0, "With --client: where we listen, for a client with a fixed port; 0 for free ones.",
         number(int, "port", 0, 65_535)],
        ["origin", None, None, "Of a server that stands between: where we are behind it, HOST:PORT; "
         "a free port if not given."],
        ["folder", None, None, "Of a server of files: the folder that it gives away; we put files there."],
        ["transport", None, None, "With --client: tcp or udp.", choice("transport", ("tcp", "udp"))],
        ["variant", "v", None, "Which kind of the service: a calculator's profile, an echo's style."],
        ["profile", None, None, "The same as --variant."],
        ["style", None, None, "The same as --variant."],
        ["format", "f", "text", f"The report: {', '.join(FORMATS)}.", choice("format", FORMATS)],
        ["output", "o", None, "Write the report to this file."],
        ["input", "i", None, "With --client: a file that is typed into its standard input."],
        ["seed", None, None, "The number that the dice are thrown with; a new one if not given.",
         number(int, "seed", 0)],
        ["contract", "c", None, "A teacher's file (TOML): what is left out, counts more, or comes on top."],
        ["timeout", "t", 5.0, "Seconds that is waited for any one thing.",
         number(float, "timeout", 0.05, 600.0)],
        ["idle", None, 1.0, "Seconds that a program we have started may sleep before it counts as hung.",
         number(float, "idle", 0.05, 600.0)],
        ["again", None, 1, "How often a scenario is run again before it has failed.",
         number(int, "again", 0, 100)],
        ["memory", None, 1024, "MiB that a program may take, with everything that it has started.",
         number(int, "memory", 16, 1_000_000)],
        ["at-once", None, 4, "Clients that are started at the same time.", number(int, "at-once", 1, 64)],
    ]  # fmt: skip

    optFlags = [
        ["client", None, "Examine a client: the command behind -- is started once for each scenario."],
        ["list", None, "List the scenarios, and run none."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["only"] = []
        self["skip"] = []
        self.contract: Contract | None = None
        self.command: tuple[str, ...] = ()
        self.side = Side.SERVER
        self.transport = "tcp"
        self.variant = ""
        self.address = (LOOPBACK, 0)
        self.origin: tuple[str, tuple[str, int]] | None = None
        self.file = ContractFile()
        self.plan: tuple[Planned, ...] = ()
        self.seed = 0
        self.typed: bytes | None = b""

    def opt_only(self, names: str) -> None:
        """
        Only these scenarios, or topics, with commas between them. May be repeated.
        """
        self["only"] += names.split(",")

    def opt_skip(self, names: str) -> None:
        """
        Leave out these scenarios, or topics. May be repeated.
        """
        self["skip"] += names.split(",")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere before C{--}."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, service: str = "", *command: str) -> None:
        self["service"] = service
        self.command = command

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if not self["service"]:
            # The defaults alone are no examination: 'labnet check' says what there is.
            if self["server"] or self["client"]:
                raise UsageError(f"which service? There are {', '.join(contracts())}")
            return
        try:
            self.contract = contractFor(self["service"])
        except KeyError:
            raise UsageError(
                f"there is no contract for {self['service']!r}; there are {', '.join(contracts())}"
            ) from None
        self.side = Side.CLIENT if self["client"] else Side.SERVER
        self._parseVariant(self.contract)
        self._parseWhere(self.contract)
        self._parseCommand()
        self._parseOrigin(self.contract)
        self._parseFolder(self.contract)
        if self["output"] is not None and not Path(self["output"]).absolute().parent.is_dir():
            raise UsageError(f"--output: {self['output']}: there is no such folder")
        self.seed = self["seed"] if self["seed"] is not None else secrets.randbelow(10**6)
        self.file = self._readContractFile()
        self.plan = self._chosen(self.contract)

    def _parseVariant(self, contract: Contract) -> None:
        given = [self[name] for name in ("variant", "profile", "style") if self[name] is not None]
        if len(set(given)) > 1:
            raise UsageError("--variant, --profile and --style are one option: use one of them")
        self.variant = given[0] if given else (contract.variants[0] if contract.variants else "")
        if given and self.variant not in contract.variants:
            there = (
                f"is none of {', '.join(contract.variants)}" if contract.variants else "is not needed here"
            )
            raise UsageError(f"--variant: {self.variant!r} {there}")

    def _parseWhere(self, contract: Contract) -> None:
        if self["client"]:
            if self["server"]:
                raise UsageError("--server and --client: one of them")
            known = {
                name for one in contract.scenarios if one.side is Side.CLIENT for name in one.transports
            }
            self.transport = self["transport"] or ("udp" if known == {"udp"} else "tcp")
            self.address = (LOOPBACK, self["port"])
            return
        if self["server"] is None:
            if self["list"]:
                self.transport = self["transport"] or "tcp"
                return
            raise UsageError("--server ENDPOINT or --client: who is examined?")
        transport, _, rest = self["server"].partition(":")
        host, _, port = rest.rpartition(":")
        host = host.strip("[]").replace("\\:", ":")
        lowest = 0 if self.command else 1
        if transport not in ("tcp", "udp") or not host or not isHost(host) or not (
            port.isascii() and port.isdigit() and lowest <= int(port[:6]) <= 65_535
        ):  # fmt: skip
            raise UsageError(
                f"--server: {self['server']!r} is not of the form tcp:HOST:PORT or udp:HOST:PORT"
            )
        self.transport, self.address = transport, (host, int(port))

    def _parseCommand(self) -> None:
        if self["list"]:
            return
        if self["client"] and not self.command:
            raise UsageError(
                "--client: what starts it? Write it behind --: -- python3 client.py {host} {port}"
            )
        if self.command and not sys.platform.startswith("linux"):
            raise UsageError(
                "programs are started on Linux only; a server that runs already can be examined"
            )
        if self.command and shutil.which(self.command[0]) is None:
            raise UsageError(f"there is no program {self.command[0]!r}")
        if self.side is Side.SERVER and self.command and self.address[1] == 0 and not any(
            "{port}" in word for word in self.command
        ):  # fmt: skip
            raise UsageError("--server: port 0 goes with {port} in the command")
        self.typed = None if self.contract is not None and self.contract.interactive else b""
        if self["input"] is not None:
            try:
                self.typed = Path(self["input"]).read_bytes()
            except OSError as error:
                raise UsageError(f"--input: {self['input']}: {error.strerror}") from error

    def _parseOrigin(self, contract: Contract) -> None:
        """Where we are behind a server that stands between, and whether it can know."""
        transport = contract.origins.get(self.variant) if self.side is Side.SERVER else None
        given = self["origin"]
        if transport is None:
            if given is not None:
                raise UsageError("--origin: nothing is behind this one")
            return
        host, port = LOOPBACK, "0"
        if given is not None:
            host, _, port = given.rpartition(":")
            host = host.strip("[]")
            if (
                not host
                or not isHost(host)
                or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535)
            ):
                raise UsageError(f"--origin: {given!r} is not of the form HOST:PORT")
        told = self.variant in contract.named or any("{origin" in word for word in self.command)
        if not told and not int(port) and not self["list"]:
            raise UsageError("where does it connect to? {origin} in the command, or --origin HOST:PORT")
        self.origin = transport, (host, int(port))

    def _parseFolder(self, contract: Contract) -> None:
        """Which folder a server of files gives away."""
        given = self["folder"]
        if given is not None and not (contract.folder and self.side is Side.SERVER):
            raise UsageError("--folder: this one gives no files away")
        if given is not None and not Path(given).is_dir():
            raise UsageError(f"--folder: {given}: there is no such folder")
        told = given is not None or any("{folder}" in word for word in self.command)
        if contract.folder and self.side is Side.SERVER and not told and not self["list"]:
            raise UsageError("which folder does it give away? {folder} in the command, or --folder DIR")

    def _readContractFile(self) -> ContractFile:
        if self["contract"] is None:
            return ContractFile()
        path = Path(self["contract"])
        try:
            return parse(path.read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"--contract: {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--contract: {path}: not UTF-8 at byte {error.start}") from error
        except BadContractFile as error:
            raise UsageError(f"--contract: {path}: {error}") from error

    def _chosen(self, contract: Contract) -> tuple[Planned, ...]:
        """What is run, and what it counts: of the contract and the teacher's file, as the options say."""
        file = self.file
        every = [*contract.scenarios, *map(asScenario, file.additions)]
        added = Contract(contract.service, contract.variants)
        try:
            for scenario in every:
                added.add(scenario)
        except ValueError as error:
            raise UsageError(f"--contract: {error}") from error
        known = {word for one in every for word in (one.name, one.topic.word)}
        for option, words in (
            ("--only", self["only"]),
            ("--skip", self["skip"]),
            ("--contract: only", file.only),
            ("--contract: skip", file.skip),
            ("--contract: weights", file.weights),
        ):
            for word in words:
                if word not in known:
                    raise UsageError(f"{option}: {word!r} is no scenario and no topic; --list has them")
        chosen = [
            scenario
            for scenario in added.chosen(self.side, self.transport, self.variant)
            if all(_named(scenario, words) for words in (self["only"], file.only) if words)
            and not _named(scenario, [*self["skip"], *file.skip])
            and (self.command or self["list"] or not scenario.restarts)
        ]
        if not chosen:
            raise UsageError(f"there is nothing to examine of a {self.side.value} over {self.transport}")
        return tuple(Planned(one, file.weight(one.name, one.topic, one.weight)) for one in chosen)

    @property
    def what(self) -> str:
        """Who is examined, as text."""
        return " ".join(self.command) if self.command else str(self["server"])

    def settings(self) -> Settings:
        """How it is examined."""
        wait = self["timeout"]
        return Settings(
            self.side,
            self.transport,
            self.variant,
            self.address,
            self.command,
            self.origin,
            Path(self["folder"]) if self["folder"] is not None else None,
            self.typed,
            self.seed,
            self["again"],
            self["at-once"],
            Limits(wait, min(self["idle"], wait), scenario=max(60.0, 12 * wait)),
            Bounds(memory=self["memory"] * 2**20),
        )


def _named(scenario: Scenario, words: Collection[str]) -> bool:
    return scenario.name in words or scenario.topic.word in words


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Examine, print the report, and return the exit status."""
    contract = options.contract
    if contract is None:
        console.say("\n".join(contracts()))
        return ExitStatus.OK
    if options["list"]:
        console.say(listing((planned.scenario for planned in options.plan), _columns(console)))
        return ExitStatus.OK
    startedAt = reactor.seconds()
    with Progress(sys.__stderr__ or io.StringIO(), "scenarios", len(options.plan), size=False) as progress:
        findings = await examine(reactor, options.plan, options.settings(), progress.reached)
    subject = Subject(
        contract.service, options.side, options.variant, options.transport, options.what, options.seed
    )
    file, seconds = options.file, reactor.seconds() - startedAt
    verdict = Verdict(subject, findings, file.title, file.points, seconds, version("labnet"))
    _tell(console, options, verdict)
    if any(finding.outcome is Outcome.BROKEN for finding in findings):
        return ExitStatus.BUG
    return ExitStatus.OK if verdict.passed else ExitStatus.ANSWERED_ERROR


def _columns(console: Console) -> int:
    """How wide a text is that people read."""
    return max(_NARROWEST, min(console.width or WIDTH, WIDTH))


def _tell(console: Console, options: Options, verdict: Verdict) -> None:
    path, form = options["output"], options["format"]
    if path is None or path == "-":
        if form == "text" and console.width is not None:
            colour = not os.environ.get("NO_COLOR")
            console.say(asText(verdict, colour=colour, width=_columns(console)))
        else:
            console.say(FORMATS[form](verdict))
        return
    try:
        Path(path).write_text(FORMATS[form](verdict) + "\n", "utf-8")
    except OSError as error:
        raise ClientError(f"--output: {path}: {error.strerror}", ExitStatus.USAGE) from error
    console.say(asText(verdict, detailed=False).splitlines()[-1])


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
