"""
C{labnet files} and C{twistd labnet-files-client}: get, put and list the files of a server.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, ClassVar, cast

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThreadPool

from labnet.catalogue import Entry, Kind, entryFor
from labnet.files.client import Damaged, FilesClient, FilesClientFactory, Source, fetchCourse
from labnet.files.naming import checkName
from labnet.files.refusal import Refusal
from labnet.files.saving import CannotSave, Saving, TargetExists
from labnet.files.wire import Entry as File
from labnet.files.wire import NotUnderstood
from labnet.net.console import Console
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, choice, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.passwords import hashed
from labnet.net.service import ClientService
from labnet.net.terminal import Progress

__all__ = ["Options", "makeService", "run"]

_COURSE, _FRAMED = "course", "framed"
_COURSE_ENDPOINT = "tcp:127.0.0.1:5000"
_VERBS = {"get": 1, "put": 1, "list": 0, "password": 1}
_LOST = (ConnectionLost, ConnectionDone)
_PASSWORD_VARIABLE = "LABNET_PASSWORD"


class Options(CommandOptions):
    """
    The options of the file client.

    @ivar verb: what to do.
    @ivar subject: with which file.
    """

    synopsis = "[options] get NAME | put FILE | list | password NAME"
    longdesc = (
        "Gets a file, puts one, or lists what there is. 'password NAME' asks nobody: it makes a line for "
        "the server's --password-file. A password comes from the variable LABNET_PASSWORD, from the first "
        "line of --password-from, or is asked for at the terminal."
    )

    entry: ClassVar[Entry] = entryFor("files", Kind.CLIENT)

    optParameters = [
        ["connect", "c", None,
         f"The server, tcp:HOST:PORT or another endpoint [default: {entry.endpoints[0]}, "
         f"with --protocol course {_COURSE_ENDPOINT}]."],
        ["protocol", "p", _FRAMED, "framed, or course: that only gets.",
         choice("protocol", (_FRAMED, _COURSE))],
        ["output", "o", None, "get: the file to save to [default: the name, in this directory]."],
        ["as", None, None, "put: the name it gets there [default: its own]."],
        ["user", "u", None, "put: your name there."],
        ["password-from", None, None, "put, password: a file whose first line is the password; - for "
         "standard input."],
        ["timeout", "t", 30.0, "Seconds in which nothing happens.", number(float, "timeout", 0.001)],
        ["tries", None, 3, "get: how often to connect when the connection is lost on the way.",
         number(int, "tries", 1, 1_000)],
    ]  # fmt: skip

    optFlags = [
        ["replace", None, "Replace a file that is there already."],
        ["restart", None, "get: do not continue what is in NAME.part."],
        ["quiet", "q", "No progress bar."],
    ]

    verb = ""
    subject = ""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand before and after the words."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *words: str) -> None:
        if not words:
            return
        self.verb, *subjects = words
        if self.verb not in _VERBS:
            raise UsageError(f"{self.verb!r} is none of {', '.join(_VERBS)}")
        if len(subjects) != _VERBS[self.verb]:
            raise UsageError(f"{self.verb} takes {'one name' if _VERBS[self.verb] else 'no name'}")
        self.subject = subjects[0] if subjects else ""

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        self.verb = self.verb or "list"
        course = self["protocol"] == _COURSE
        if course and self.verb in ("put", "list"):
            raise UsageError(f"--protocol: the course's protocol has no {self.verb}")
        self["connect"] = self["connect"] or (_COURSE_ENDPOINT if course else self.entry.endpoints[0])
        try:
            parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--connect: {error}") from error
        if self.verb == "password" and (not self.subject or set(":\r\n#") & set(self.subject)):
            raise UsageError("password takes a name without colons")


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Do what the options say, and return the exit status."""
    try:
        match options.verb:
            case "get":
                await _get(reactor, options)
            case "put":
                await _put(reactor, options, console)
            case "password":
                console.say(hashed(_password(options, twice=True)).line(options.subject))
            case _:
                await _list(reactor, options, console)
    except Refusal as refusal:
        raise ClientError(f"the server refuses: {refusal}", ExitStatus.ANSWERED_ERROR) from refusal
    except NotUnderstood as problem:
        raise ClientError(
            f"the answer is not understood: {problem}", ExitStatus.NOT_UNDERSTOOD
        ) from problem
    except Damaged as problem:
        raise ClientError(str(problem), ExitStatus.NOT_UNDERSTOOD) from problem
    except TargetExists as problem:
        raise ClientError(
            f"{problem} is there already; --replace replaces it", ExitStatus.USAGE
        ) from problem
    except CannotSave as problem:
        raise ClientError(str(problem), ExitStatus.USAGE) from problem
    return ExitStatus.OK


def _endpoint(reactor: Any, options: Options) -> IStreamClientEndpoint:
    return parseStreamClient(reactor, options["connect"], options["timeout"])


async def _connect(reactor: Any, options: Options) -> FilesClient:
    factory = FilesClientFactory(reactor, options["timeout"])
    return cast(FilesClient, await _endpoint(reactor, options).connect(factory))


async def _list(reactor: Any, options: Options, console: Console) -> None:
    client = await _connect(reactor, options)
    try:
        for entry in await client.list():
            console.say(_row(entry))
    finally:
        client.close()


def _row(entry: File) -> str:
    """One file as a line; a name that could do something to a terminal is not shown as it is."""
    try:
        name = checkName(entry.name, hidden=True)
    except Refusal:
        name = entry.name.encode("unicode_escape").decode("ascii")
    return f"{entry.size:>14}  {entry.changed:16}  {name}"


# get


async def _get(reactor: Any, options: Options) -> None:
    target = options["output"] or _localName(options.subject)
    course = options["protocol"] == _COURSE
    saving = Saving(target, replace=bool(options["replace"]), resume=not (course or options["restart"]))
    try:
        with _progress(options, options.subject) as progress:
            if course:
                endpoint, timeout = _endpoint(reactor, options), options["timeout"]
                mtime = None
                await fetchCourse(
                    reactor, endpoint, options.subject, saving, timeout=timeout, reached=progress.reached
                )
            else:
                mtime = await _getFramed(reactor, options, saving, progress.reached)
        saving.finish(mtime)
    except (Refusal, Damaged):
        saving.discard()
        raise
    finally:
        saving.close()


async def _getFramed(
    reactor: Any, options: Options, saving: Saving, reached: Callable[[int, int | None], object]
) -> float:
    """Get it, and take it up again when the connection is lost and something has come."""
    for tries in range(options["tries"], 0, -1):
        before = saving.size
        client = await _connect(reactor, options)
        try:
            return (await client.get(options.subject, saving, reached)).mtime
        except _LOST:
            if tries == 1 or saving.size == before:
                raise
        finally:
            client.close()
    raise AssertionError("there is at least one try")


def _localName(name: str) -> str:
    """The name to save to: what may not be the name of a file elsewhere is not made one here."""
    try:
        return checkName(name, hidden=True)
    except Refusal as refusal:
        raise ClientError(f"{refusal}; --output says where to save it", ExitStatus.USAGE) from refusal


# put


async def _put(reactor: Any, options: Options, console: Console) -> None:
    try:
        source = Source(options.subject)
    except OSError as error:
        raise ClientError(f"{options.subject}: {error.strerror or error}", ExitStatus.USAGE) from error
    try:
        password = _password(options) if options["user"] else ""
        # It takes as long as the disk; the answer to Ctrl-C must not.
        sha256 = await deferToThreadPool(reactor, reactor.getThreadPool(), source.digest)
        name = options["as"] or os.path.basename(options.subject)
        client = await _connect(reactor, options)
        try:
            with _progress(options, name) as progress:
                stored = await client.put(
                    source,
                    name,
                    sha256,
                    user=options["user"] or "",
                    password=password,
                    replace=bool(options["replace"]),
                    reached=progress.reached,
                )
        finally:
            client.close()
        if (stored.size, stored.sha256) != (source.size, sha256):
            raise Damaged("the server has stored something else")
        console.say(f"{stored.sha256}  {stored.name}")
    finally:
        source.close()


def _password(options: Options, *, twice: bool = False) -> str:
    """
    The password, from where it is.

    @raise ClientError: there is none.
    """
    place = options["password-from"]
    if place is None and _PASSWORD_VARIABLE in os.environ:
        return os.environ[_PASSWORD_VARIABLE]
    try:
        if place == "-":
            return sys.stdin.readline().rstrip("\r\n")
        if place is not None:
            with open(place, encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        password = getpass.getpass()
        if twice and getpass.getpass("Once more: ") != password:
            raise ClientError("these are two passwords", ExitStatus.USAGE)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ClientError(f"no password: {error}", ExitStatus.USAGE) from error
    return password


def _progress(options: Options, what: str) -> Progress:
    quiet = bool(options["quiet"])
    # What is no terminal is not drawn on.
    return Progress(StringIO() if quiet or sys.__stderr__ is None else sys.__stderr__, what, None)


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
