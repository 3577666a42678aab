"""
The options of the file server and of its client.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from labnet.files import clienttap, tap
from labnet.files.server import CourseFactory, FramedFactory
from labnet.files.web import WebFactory
from labnet.files.wire import Entry
from labnet.net.options import UsageError
from labnet.net.service import listeners
from tests.passwords import SECRET


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_threeListenersOfOneFolder(memory: MemoryReactorClock) -> None:
    made = list(listeners(tap.makeService(parsed())))
    assert [(listener.serviceName, listener.detail) for listener in made] == [
        ("files", "course"), ("files", "framed"), ("files", "http"),
    ]  # fmt: skip
    factories = [listener.factory for listener in made]  # type: ignore[attr-defined]
    assert [type(factory) for factory in factories] == [CourseFactory, FramedFactory, WebFactory]
    assert len({factory.shelf.store for factory in factories}) == 1
    assert not factories[0].shelf.access.writable


def test_everyOptionReachesItsPlace(memory: MemoryReactorClock, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(SECRET.line("joe"))
    options = parsed(
        "--folder", str(tmp_path), "--password-file", str(tmp_path / "passwords"), "--largest", "5",
        "--quota", "6", "--most-files",
        "7", "--rate", "8", "--pause", "0.5", "--quiet", "0.25", "--hidden", "--no-replace", "--listen",
        "tcp:0", "--max-connections", "9",
    )  # fmt: skip
    (listener,) = listeners(tap.makeService(options))
    factory = listener.factory  # type: ignore[attr-defined]
    assert isinstance(factory, CourseFactory)
    assert factory.limits.maxConnections == 9
    shelf = factory.shelf
    limits = shelf.store.limits
    assert (limits.largest, limits.quota, limits.mostFiles, limits.hidden) == (5, 6, 7, True)
    assert (shelf.rate, shelf.replace, shelf.access.writable) == (8.0, False, True)
    connection = factory.build()
    assert (connection._pause, connection._quiet) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--folder", "/nowhere"], "--folder: '/nowhere' is no folder"),
        (["--folder", "/dev/null"], "--folder: '/dev/null' is no folder"),
        (["--password-file", "/nowhere"], "--password-file: /nowhere: No such file or directory"),
        (["--password-file", __file__], "line 1 is not of the form"),
        (["--password-file", "/bin/sh"], "--password-file: /bin/sh: not UTF-8 at byte"),
        (["--listen", "udp:0"], "--listen: 'udp:0': files go over streams"),
        (["--listen", "ftp=tcp:0"], "--listen: 'ftp=tcp:0': 'ftp' is none of course, framed, http"),
        (["--pause", "0.004"], "--pause: '0.004' is not a number from 0.005"),
        (["--largest", "-1"], "--largest: '-1' is not a whole number at least 0"),
        (["--rate", "fast"], "--rate: 'fast' is not a number at least 0"),
        (["argument"], "Wrong number of arguments."),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothingIsMadeByParsing(
    memory: MemoryReactorClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tap.makeService(parsed())
    assert os.listdir(tmp_path) == []


# The client


def client(*arguments: str) -> clienttap.Options:
    options = clienttap.Options()
    options.parseOptions(arguments)
    return options


@pytest.mark.parametrize(
    ("arguments", "verb", "subject", "connect"),
    [
        ([], "list", "", "tcp:127.0.0.1:5001"),
        (["list"], "list", "", "tcp:127.0.0.1:5001"),
        (["get", "x"], "get", "x", "tcp:127.0.0.1:5001"),
        (["get", "x", "-p", "course"], "get", "x", "tcp:127.0.0.1:5000"),
        (["-p", "course", "-c", "tcp:h:1", "get", "x"], "get", "x", "tcp:h:1"),
        (["put", "/a/b", "--as", "c"], "put", "/a/b", "tcp:127.0.0.1:5001"),
    ],
)
def test_words(arguments: list[str], verb: str, subject: str, connect: str) -> None:
    options = client(*arguments)
    assert (options.verb, options.subject, options["connect"]) == (verb, subject, connect)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fetch", "x"], "'fetch' is none of get, put, list, password"),
        (["get"], "get takes one name"),
        (["get", "x", "y"], "get takes one name"),
        (["list", "x"], "list takes no name"),
        (["put", "x", "-p", "course"], "the course's protocol has no put"),
        (["-p", "course"], "the course's protocol has no list"),
        (["-c", "nonsense", "list"], "--connect: 'nonsense'"),
        (["-p", "ftp", "list"], "--protocol: 'ftp' is none of framed, course"),
        (["password", "a:b"], "password takes a name without colons"),
        (["--tries", "0", "get", "x"], "--tries: '0' is not a whole number from 1"),
    ],
)
def test_aMistakeOfTheClientIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        client(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_namesInAListDoNothingToATerminal() -> None:
    assert clienttap._row(Entry("a.txt", 1234, 0.0)) == "          1234  1970-01-01 00:00  a.txt"
    assert "\x1b" not in clienttap._row(Entry("\x1b[2J", 1, 1e300))
    assert "\u202e" not in clienttap._row(Entry("a\u202eb", 1, -1.0))
