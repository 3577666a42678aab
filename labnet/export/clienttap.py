"""
C{labnet export} and C{twistd labnet-export-client}: what was recorded, as a file for Wireshark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar
from urllib.parse import parse_qs

from twisted.internet.defer import CancelledError

from labnet.catalogue import Entry, Kind, entryFor
from labnet.export.client import Wanted, convert, fetch
from labnet.files.saving import CannotSave, Saving, TargetExists
from labnet.net.console import Console
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.pcapng import BadSelection, chosen
from labnet.net.secure import BadCertificate, Trust
from labnet.net.service import ClientService
from labnet.web.output import Destination, StandardOutput
from labnet.web.requests import Manner
from labnet.web.target import URL, BadURL, parseURL

__all__ = ["Options", "makeService", "run"]

_STANDARD_OUTPUT = "-"


class Options(CommandOptions):
    """
    The options of the export.

    @ivar file: what to write.
    @ivar dashboard: where to get it, or L{None}.
    @ivar token: what the dashboard wants to be told.
    @ivar wanted: which conversations.
    """

    synopsis = "[options] FILE"
    longdesc = (
        "Writes what was recorded as a pcapng file, for Wireshark: from the dashboard of a lab that runs, "
        "or from a file that --trace-file has written. FILE may be -, standard output."
    )

    entry: ClassVar[Entry] = entryFor("export", Kind.CLIENT)

    optParameters = [
        ["dashboard", "d", None, "The dashboard's URL, with its token, as the lab prints it."],
        ["trace", "t", None, "A file of a trace in JSON lines (--trace-file NAME.jsonl)."],
        ["service", "s", None, "Only conversations with this service: NAME, or NAME/DETAIL."],
        ["peer", "p", None, "Only conversations with this peer: ADDRESS, or ADDRESS:PORT."],
        ["last", "n", 0, "Only the last so many; 0: all.", number(int, "last", 0)],
        ["timeout", None, 30.0, "Seconds to connect, then seconds in which nothing comes.",
         number(float, "timeout", 0.001)],
        ["cafile", None, None, "Trust the certificates in this file (PEM), and no others."],
    ]  # fmt: skip

    optFlags = [
        ["insecure", "k", "Take any certificate, of anybody."],
        ["replace", None, "Replace a file that is there already."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.file = ""
        self.dashboard: URL | None = None
        self.token = ""
        self.wanted = Wanted()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand before and after the file."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *words: str) -> None:
        if len(words) > 1:
            raise UsageError("one file at a time")
        self.file = words[0] if words else ""

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self["dashboard"] and self["trace"]:
            raise UsageError("--dashboard and --trace: use one of them")
        if self["dashboard"]:
            self._readURL(self["dashboard"])
        try:
            chosen((), peer=self["peer"] or "")
        except BadSelection as error:
            raise UsageError(f"--peer: {error}") from error
        self.wanted = Wanted(self["service"] or "", self["peer"] or "", self["last"])
        if self["cafile"] and not self["insecure"]:
            try:
                Trust(cafile=self["cafile"])
            except BadCertificate as error:
                raise UsageError(f"--cafile: {error}") from error

    def _readURL(self, text: str) -> None:
        try:
            url = parseURL(text)
        except BadURL as error:
            raise UsageError(f"--dashboard: {error}") from error
        query = url.target.partition(b"?")[2].decode("ascii")
        token = (parse_qs(query).get("token") or [""])[0]
        if not token or not (token.isascii() and token.isprintable()):
            raise UsageError("--dashboard: the URL has no token; copy all of it from the lab's log")
        self.dashboard, self.token = url, token

    @property
    def manner(self) -> Manner:
        """How a dashboard is asked."""
        return Manner(
            insecure=bool(self["insecure"]),
            cafile=self["cafile"],
            timeout=self["timeout"],
            maxSize=0,
            agent=f"labnet/{version('labnet')}".encode("ascii"),
        )

    def agree(self) -> None:
        """
        Whether it is said what to write, and from what.

        @raise ClientError: it is not.
        """
        if not self.file:
            raise ClientError("no file is named; - is standard output", ExitStatus.USAGE)
        if self.dashboard is None and not self["trace"]:
            sentence = (
                "from where? --dashboard URL, as the lab prints it when it starts, or --trace FILE, as "
                "--trace-file FILE.jsonl has written it"
            )
            raise ClientError(sentence, ExitStatus.USAGE)
        stream = sys.__stdout__
        if self.file == _STANDARD_OUTPUT and stream is not None and stream.isatty():
            raise ClientError("a terminal can not show such a file: name one", ExitStatus.USAGE)


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Write the file, and return the exit status."""
    options.agree()
    try:
        if options.file == _STANDARD_OUTPUT:
            await _written(reactor, options, console, None)
            return ExitStatus.OK
        saving = Saving(options.file, replace=bool(options["replace"]), resume=False)
        try:
            await _written(reactor, options, console, saving)
            saving.finish()
        finally:
            # What is not whole is not kept.
            saving.discard()
    except TargetExists as problem:
        sentence = f"{problem} is there already; --replace replaces it"
        raise ClientError(sentence, ExitStatus.USAGE) from problem
    except CannotSave as problem:
        raise ClientError(str(problem), ExitStatus.USAGE) from problem
    return ExitStatus.OK


async def _written(reactor: Any, options: Options, console: Console, saving: Saving | None) -> None:
    output = StandardOutput()
    console.attach(output, output=True)
    sink = Destination(output, saving)
    try:
        if options.dashboard is not None:
            await fetch(reactor, options.dashboard, options.token, options.wanted, sink, options.manner)
        else:
            await convert(reactor, options["trace"], options.wanted, sink.write, output.attach)
    except CancelledError:
        # The process is about to end: nobody waits for what is still to be written.
        raise
    except Exception:
        await output.close()
        raise
    await output.close()


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
