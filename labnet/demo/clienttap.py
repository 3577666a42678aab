"""
C{labnet demo} and C{twistd labnet-demo-client}: the classic mistakes, shown on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.demo import filerace, glued, onerecv, splitcharacter, splitword, udploop
from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.presentation import WIDTH, introduced, listed, presented
from labnet.demo.stage import Stage
from labnet.net.console import Console
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService
from labnet.net.terminal import highlighted

__all__ = ["DEMONSTRATIONS", "Options", "makeService", "run"]

DEMONSTRATIONS: tuple[Demonstration, ...] = (
    onerecv.DEMONSTRATION,
    glued.DEMONSTRATION,
    filerace.DEMONSTRATION,
    splitcharacter.DEMONSTRATION,
    splitword.DEMONSTRATION,
    udploop.DEMONSTRATION,
)
_ALL = "all"


class Options(CommandOptions):
    """The options of the demonstrations."""

    synopsis = "[options] [NAME ... | all]"
    longdesc = (
        "Runs a program that has one of the classic mistakes, on a network that does nothing and on one "
        "that breaks things on purpose, then its cure; counts how often each fails, and shows what went "
        "over the wire. Without a name: the list."
    )

    entry: ClassVar[Entry] = entryFor("demo", Kind.CLIENT)

    optParameters = [
        ["tries", "n", 10, "How often each program runs.", number(int, "tries", 1, 100)],
        ["seed", "s", 7, "Of what is random in the faults.", number(int, "seed", 0, 2**63)],
    ]  # fmt: skip

    chosen: tuple[Demonstration, ...] = ()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *names: str) -> None:
        known = {shown.name: shown for shown in DEMONSTRATIONS}
        for name in names:
            if name not in (*known, _ALL):
                raise UsageError(f"{name!r} is none of {', '.join((*known, _ALL))}")
        self.chosen = DEMONSTRATIONS if _ALL in names else tuple(known[name] for name in names)


async def demonstrated(reactor: Any, shown: Demonstration, tries: int, seed: int) -> Report:
    """Do one, and leave nothing behind."""
    stage = Stage(reactor, seed)
    try:
        return await shown.run(stage, tries)
    finally:
        await stage.close()


async def run(reactor: Any, options: Options, console: Console) -> int:
    """
    Show what the options say, and return the exit status: 1 if something did not show this time.
    """
    if not options.chosen:
        console.say("labnet demo NAME: a classic mistake, how often it fails, and its cure.\n")
        for line in listed(DEMONSTRATIONS):
            console.say(line)
        return ExitStatus.OK
    width = console.width
    colour = width is not None and not os.environ.get("NO_COLOR")
    status = ExitStatus.OK
    for index, shown in enumerate(options.chosen):
        if index:
            console.say("\n")
        # The first part is read while the second is measured.
        for line in introduced(shown, width=width or WIDTH, colour=colour):
            console.say(line)
        report = await demonstrated(reactor, shown, options["tries"], options["seed"])
        highlight = highlighted if colour else None
        for line in presented(shown, report, width=width or WIDTH, colour=colour, highlight=highlight):
            console.say(line)
        if not report.shows:
            console.complain(f"labnet demo: {shown.name} did not show this time; try --tries 50")
            status = ExitStatus.ANSWERED_ERROR
    return status


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
