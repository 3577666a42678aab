"""
C{labnet get} and C{twistd labnet-web-client}: ask a web server, and see how it answers.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from io import StringIO
from shutil import get_terminal_size
from typing import Any, ClassVar, TextIO

from twisted.internet.defer import CancelledError

from labnet.catalogue import Entry, Kind, entryFor
from labnet.files.saving import CannotSave, Saving, TargetExists
from labnet.net.console import Console, legible
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.secure import BadCertificate, Trust
from labnet.net.service import ClientService
from labnet.net.terminal import Progress
from labnet.proxy.wire import Version
from labnet.web.client import Response, get
from labnet.web.events import Event, Received
from labnet.web.output import Destination, StandardOutput
from labnet.web.requests import Manner, Request, parseField
from labnet.web.target import URL, BadURL, parseURL
from labnet.web.timing import Timing
from labnet.web.trace import Trace, timetable

__all__ = ["Options", "makeService", "run"]

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORM = b"application/x-www-form-urlencoded"


class Options(CommandOptions):
    """
    The options of the web client.

    @ivar url: what to ask for.
    @ivar fields: what is sent in addition.
    @ivar manner: how to ask.
    """

    synopsis = "[options] [URL]"
    longdesc = (
        "Asks a web server for something and writes the body of its answer. Without a scheme a URL is "
        "http://; without a URL it is the lab's own web server."
    )

    entry: ClassVar[Entry] = entryFor("web", Kind.CLIENT)

    optParameters = [
        ["request", "X", None, "The method [default: GET, with --data POST]."],
        ["data", "d", None, "A body to send; @FILE: what is in that file, @-: standard input."],
        ["output", "o", None, "Save the body to this file."],
        ["proxy", "x", None, "Through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT."],
        ["follow", None, 0, "How often to go where an answer sends us.", number(int, "follow", 0, 100)],
        ["timeout", "t", 30.0, "Seconds to connect, then seconds in which nothing comes.",
         number(float, "timeout", 0.001)],
        ["max-time", "m", 0.0, "Seconds for everything; 0: no limit.", number(float, "max-time", 0.0)],
        ["max-size", None, 0, "Bytes of the body; 0: no limit.", number(int, "max-size", 0)],
        ["cafile", None, None, "Trust the certificates in this file (PEM), and no others."],
        ["trace-lines", None, 12, "With --trace: lines shown of the body in a piece; 0: all.",
         number(int, "trace-lines", 0)],
    ]  # fmt: skip

    optFlags = [
        ["trace", None, "Show every piece as it comes, in place of the body, and what it means."],
        ["timing", None, "Say how long each phase took, on standard error."],
        ["raw", None, "Write exactly the bytes that come, in place of the body."],
        ["include", "i", "Write the head as well."],
        ["head", "I", "Ask for the head alone, and write that."],
        ["http10", "0", "Speak HTTP/1.0."],
        ["fail", "f", "A status of 400 or more is an error, and its body is not written."],
        ["insecure", "k", "Take any certificate, of anybody."],
        ["replace", None, "With --output: replace a file that is there already."],
        ["quiet", "q", "No progress bar, and no remarks about the answer."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = parseURL(self.entry.endpoints[0].removeprefix("tcp:"))
        self.fields: list[tuple[bytes, bytes]] = []
        self.manner = Manner()

    def opt_header(self, field: str) -> None:
        """A field to send, 'Name: value', in place of ours; 'Name:' sends none. May be repeated."""
        try:
            self.fields.append(parseField(os.fsencode(field)))
        except ValueError as error:
            raise UsageError(f"--header: {field!r}: {error}") from error

    opt_H = opt_header

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand before and after the URL."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *words: str) -> None:
        if len(words) > 1:
            raise UsageError("one URL at a time")
        if words:
            self.url = self._url(words[0], "")

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        self._agree()
        if self["cafile"] and not self["insecure"]:
            try:
                Trust(cafile=self["cafile"])
            except BadCertificate as error:
                raise UsageError(f"--cafile: {error}") from error
        self.manner = Manner(
            proxy=self._proxy(),
            insecure=bool(self["insecure"]),
            cafile=self["cafile"],
            timeout=self["timeout"],
            maxTime=self["max-time"],
            maxSize=self["max-size"],
            follow=self["follow"],
            agent=f"labnet/{version('labnet')}".encode("ascii"),
        )

    def _agree(self) -> None:
        """Options that contradict each other, or would do nothing."""
        method = self["request"]
        if method is not None and (not _METHOD.fullmatch(method) or method == "CONNECT"):
            raise UsageError(f"--request: {method!r} is no method that can be asked for")
        if self["head"] and (method or self["data"] is not None):
            raise UsageError("--head goes neither with --request nor with --data")
        if self["raw"] and self["trace"]:
            raise UsageError("--raw and --trace: use one of them")
        if self["replace"] and not self["output"]:
            raise UsageError("--replace goes with --output")

    def _url(self, text: str, option: str) -> URL:
        try:
            return parseURL(text)
        except BadURL as error:
            # The text itself may have a password in it.
            raise UsageError(f"{option or 'the URL'}: {error}") from error

    def _proxy(self) -> URL | None:
        if not self["proxy"]:
            return None
        proxy = self._url(self["proxy"], "--proxy")
        if proxy.secure or proxy.target != b"/":
            raise UsageError("--proxy: this is not of the form http://HOST:PORT")
        return proxy

    def request(self) -> Request:
        """
        The request.

        @raise ClientError: the file with its body can not be read.
        """
        body = _body(self["data"])
        fields = list(self.fields)
        if body is not None and not any(name.lower() == b"content-type" for name, _ in fields):
            fields.append((b"Content-Type", _FORM))
        method = "HEAD" if self["head"] else self["request"] or ("GET" if body is None else "POST")
        spoken = Version.HTTP10 if self["http10"] else Version.HTTP11
        return Request(self.url, method.encode("ascii"), tuple(fields), body, spoken)


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else os.fsencode(data)
    try:
        if data == "@-":
            return sys.stdin.buffer.read()
        with open(data[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise ClientError(f"{data[1:]}: {error.strerror or error}", ExitStatus.USAGE) from error


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Ask what the options say, write the answer, and return the exit status."""
    request = options.request()
    try:
        if not options["output"]:
            await _asked(reactor, options, console, request, None)
            return ExitStatus.OK
        saving = Saving(options["output"], replace=bool(options["replace"]), resume=False)
        try:
            await _asked(reactor, options, console, request, saving)
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


async def _asked(
    reactor: Any, options: Options, console: Console, request: Request, saving: Saving | None
) -> None:
    """
    Ask, and write what is to be seen of it.

    @raise ClientError: the answer is not whole, or with C{--fail} one that went wrong.
    """
    output, timing = StandardOutput(), Timing()
    console.attach(output, output=True)
    try:
        response = await _written(reactor, options, request, output, saving, timing)
    except CancelledError:
        # The process is about to end: nobody waits for what is still to be written.
        raise
    except Exception:
        await _end(options, console, output, timing)
        raise
    await _end(options, console, output, timing)
    if options["fail"] and response.head.status >= 400:
        answered = f"{response.head.status} {legible(response.head.reason)}".rstrip()
        raise ClientError(f"the server answered {answered}", ExitStatus.ANSWERED_ERROR)
    if not (options["trace"] or options["quiet"]):
        for remark in response.remarks:
            console.complain(f"labnet get: {remark}")


async def _end(options: Options, console: Console, output: StandardOutput, timing: Timing) -> None:
    """Write what is still to be written, and then, beside it, when everything was."""
    await output.close()
    if options["timing"] and not options["trace"]:
        for line in timetable(timing, _width()):
            console.complain(line)


async def _written(
    reactor: Any,
    options: Options,
    request: Request,
    output: StandardOutput,
    saving: Saving | None,
    timing: Timing,
) -> Response:
    trace = Trace(_width(), options["trace-lines"]) if options["trace"] else None

    def tell(seconds: float, event: Event) -> None:
        timing.note(seconds, event)
        if trace is not None:
            _writeLines(output, trace.lines(seconds, event))
        elif options["raw"] and isinstance(event, Received):
            output.write(event.data)

    plain = trace is None and not options["raw"]
    with _progress(options, saving) as progress:
        destination = Destination(
            output,
            saving,
            heads=plain and bool(options["include"] or options["head"]),
            bodies=plain,
            harmless=plain and _isTerminal(sys.__stdout__),
            fail=bool(options["fail"]),
            reached=progress.reached,
        )
        try:
            return await get(reactor, request, manner=options.manner, sink=destination, tell=tell)
        finally:
            destination.end()
            if trace is not None:
                _writeLines(output, ["", *timetable(timing, _width())])


def _writeLines(output: StandardOutput, lines: Iterable[str]) -> None:
    output.write("".join(f"{line}\n" for line in lines).encode("utf-8"))


def _progress(options: Options, saving: Saving | None) -> Progress:
    """A bar, where a person sees it and nothing else is written."""
    shown = not options["quiet"] and not options["trace"]
    elsewhere = saving is not None or not _isTerminal(sys.__stdout__)
    stream = sys.__stderr__ if shown and elsewhere else None
    # What is no terminal is not drawn on.
    return Progress(stream or StringIO(), options["output"] or str(options.url), None)


def _isTerminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _width() -> int:
    return get_terminal_size((80, 24)).columns if _isTerminal(sys.__stdout__) else 80


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
