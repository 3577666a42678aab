"""
The command C{labnet}: which client it runs, and how it ends. The clients' own work is tested with them.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import Options

from labnet import cli
from labnet.catalogue import clients, servers
from labnet.net.outcome import ClientError, ExitStatus

Run = Callable[[Any, Options, Any], Coroutine[Any, Any, int]]


def ending(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command that never starts the reactor."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], []])
def test_helpListsEveryClient(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = ending(capsys, *arguments)
    assert (status, err) == (0, "")
    for entry in clients():
        assert f"labnet {entry.command}" in out
        assert entry.line in out


@pytest.mark.parametrize("argument", ["--version", "-V"])
def test_theVersionIsThePackages(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    assert ending(capsys, argument) == (0, f"labnet {version('labnet')}\n", "")


def test_anUnknownNameIsAnsweredWithThoseThereAre(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ending(capsys, "calculater")
    assert (status, out) == (ExitStatus.USAGE, "")
    known = ", ".join(entry.command for entry in clients())
    assert err == f"labnet: no client is named 'calculater'; there are {known}\n"


def test_aClientIsFoundByEitherName(capsys: pytest.CaptureFixture[str]) -> None:
    """Netcat is called C{nc}, and answers to its name in the catalogue, too."""
    assert ending(capsys, "nc", "--help") == ending(capsys, "netcat", "--help")


def test_aServersNameIsAnsweredWithItsCommand(capsys: pytest.CaptureFixture[str]) -> None:
    onlyServers = {entry.name: entry.plugin for entry in servers()}
    for entry in clients():
        onlyServers.pop(entry.name, None)
    assert onlyServers
    for name, plugin in onlyServers.items():
        status, out, err = ending(capsys, name)
        assert (status, out) == (ExitStatus.USAGE, "")
        assert err == f"labnet {name}: this is a server, run it with 'twistd -n {plugin}'\n"


def test_aMistakenOptionIsOneLine(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ending(capsys, "calculator", "--profile", "nett", "1 + 1")
    assert (status, out) == (ExitStatus.USAGE, "")
    assert err.startswith("labnet calculator: --profile: 'nett' is none of struct9")
    assert err.count("\n") == 1


@pytest.mark.parametrize("entry", clients(), ids=lambda entry: entry.command)
def test_everyClientHasHelp(capsys: pytest.CaptureFixture[str], entry: Any) -> None:
    status, out, err = ending(capsys, entry.command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: labnet {entry.command} ")
    assert "Options:" in out


def test_everyClientHasTheVersionOfLabnet(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(capsys, "nc", "--version") == ending(capsys, "--version")
    assert ending(capsys, "--version")[1].startswith("labnet ")


def outcome(monkeypatch: pytest.MonkeyPatch, run: Run) -> tuple[int, list[str]]:
    """Exit status and complaints of a client whose work is C{run}, in a reactor of memory."""
    complaints: list[str] = []
    monkeypatch.setattr(cli, "Console", lambda: SimpleNamespace(complain=complaints.append))
    reactor = MemoryReactorClock()
    done = cli._run(reactor, "client", SimpleNamespace(run=run), Options())
    ended: list[int] = []
    done.addErrback(lambda failure: ended.append(failure.value.code) or failure.trap(SystemExit))
    done.addErrback(lambda failure: None)
    assert ended == []
    reactor.advance(0)
    return ended[0], complaints


@pytest.mark.parametrize("status", [ExitStatus.OK, ExitStatus.ANSWERED_ERROR])
def test_theStatusIsTheClients(monkeypatch: pytest.MonkeyPatch, status: ExitStatus) -> None:
    async def run(reactor: Any, options: Options, console: Any) -> int:
        return status

    assert outcome(monkeypatch, run) == (status, [])


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ClientError("no such name", ExitStatus.NAME_NOT_FOUND), ExitStatus.NAME_NOT_FOUND, "no such name"),
        (ConnectionRefusedError(), ExitStatus.REFUSED, "connection refused"),
    ],
)
def test_whatGoesWrongIsOneSentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: ExitStatus, sentence: str
) -> None:
    async def run(reactor: Any, options: Options, console: Any) -> int:
        raise error

    ended, complaints = outcome(monkeypatch, run)
    assert ended == status
    assert [line.startswith(f"labnet client: {sentence}") for line in complaints] == [True]


def test_onlyABugHasATraceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def run(reactor: Any, options: Options, console: Any) -> int:
        raise ZeroDivisionError("oops")

    ended, complaints = outcome(monkeypatch, run)
    assert ended == ExitStatus.BUG
    assert complaints == ["labnet client: ZeroDivisionError: oops"]
    assert "Traceback" in capsys.readouterr().err


def test_aReaderThatHasGoneIsNoTraceback() -> None:
    """C{labnet nc --help | head -1}: the status is a broken pipe's, and nothing is said."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "labnet", "nc", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (ExitStatus.BROKEN_PIPE, b"")


def test_theModuleIsTheSameCommand(monkeypatch: pytest.MonkeyPatch) -> None:
    """C{python -m labnet}, which runs this file, calls the same function as the console script."""
    calls: list[bool] = []
    monkeypatch.setattr(cli, "main", lambda: calls.append(True))
    runpy.run_path(str(Path(cli.__file__).with_name("__main__.py")), run_name="__main__")
    assert calls == [True]


def test_anInterruptBeforeTheReactorRuns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question may stand at the terminal already: to interrupt there is no bug."""

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "react", interrupted)
    assert ending(capsys, "names", "localhost") == (ExitStatus.INTERRUPTED, "", "")
