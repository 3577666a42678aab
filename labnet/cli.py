"""
The command C{labnet NAME ...}: every client of the catalogue in the foreground.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.catalogue import CATALOGUE, clientCalled, clients
from labnet.net.console import Console
from labnet.net.outcome import ExitStatus, explain

__all__ = ["main", "proxySelftest"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """
    Run one client and end the process with its exit status.

    @param arguments: what follows C{labnet}; the process's own when left out.
    """
    try:
        try:
            _command(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who was to read this has gone. Python tries once more at the very end: that goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitStatus.BROKEN_PIPE)


def _command(arguments: Sequence[str]) -> NoReturn:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help", "help"):
        print(_help())
        sys.exit(ExitStatus.OK)
    if name in ("-V", "--version"):
        print(f"labnet {version('labnet')}")
        sys.exit(ExitStatus.OK)
    try:
        entry = clientCalled(name)
    except KeyError:
        _refuse(_noCommand(name))
    tap = import_module(entry.tap)
    options = tap.Options()
    try:
        options.parseOptions(rest)
    except UsageError as error:
        _refuse(f"labnet {name}: {error}")
    try:
        react(_run, (name, tap, options))
    except KeyboardInterrupt:
        # Ctrl-C after the client has begun, and before the reactor runs and takes care of it.
        sys.exit(ExitStatus.INTERRUPTED)


def proxySelftest() -> NoReturn:
    """The command C{labnet-proxy-selftest}: C{labnet proxy-selftest} under a name of its own."""
    main(["proxy-selftest", *sys.argv[1:]])


def _run(reactor: Any, name: str, tap: Any, options: Any) -> Deferred[None]:
    console = Console()

    def failed(failure: Failure) -> int:
        sentence, status = explain(failure)
        if status is ExitStatus.BUG:
            failure.printTraceback(sys.stderr)
        if status is not ExitStatus.INTERRUPTED:
            console.complain(f"labnet {name}: {sentence}")
        return status

    async def work() -> int:
        # Not before the reactor runs, and takes care of signals: Ctrl-C may follow the first word at once.
        await deferLater(reactor, 0)
        return int(await tap.run(reactor, options, console))

    done = Deferred.fromCoroutine(work())
    # Ctrl-C stops the reactor: nobody waits for the answer any more.
    reactor.addSystemEventTrigger("before", "shutdown", done.cancel)
    return done.addErrback(failed).addCallback(sys.exit)


def _help() -> str:
    width = max(len(entry.command) for entry in clients())
    rows = "\n".join(f"  labnet {entry.command:{width}}  {entry.line}" for entry in clients())
    return (
        "labnet NAME [options]: a client of the lab.\n\n"
        f"{rows}\n\n"
        "'labnet NAME --help' has its options. The servers run under twistd:\n"
        "'twistd -n labnet' for all of them, 'twistd --help' for the list."
    )


def _noCommand(name: str) -> str:
    for entry in CATALOGUE:
        if entry.name == name:
            return f"labnet {name}: this is a server, run it with 'twistd -n {entry.plugin}'"
    known = ", ".join(entry.command for entry in clients())
    return f"labnet: no client is named {name!r}; there are {known}"


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(ExitStatus.USAGE)
