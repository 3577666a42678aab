"""
The options of C{labnet get}.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from labnet.net.outcome import ClientError, ExitStatus
from labnet.proxy.wire import Version
from labnet.web.clienttap import Options
from labnet.web.requests import Manner, Request


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def asked(*arguments: str) -> Request:
    return parsed("http://a/", *arguments).request()


def test_withoutAURLItIsTheLabs() -> None:
    assert str(parsed().url) == "http://127.0.0.1:15000/"


def test_aPlainGet() -> None:
    request = asked()
    assert (request.method, request.fields, request.body, request.version) == (
        b"GET",
        (),
        None,
        Version.HTTP11,
    )


def test_optionsMayStandBehindTheURL() -> None:
    options = parsed("http://a/", "-I", "--http10", "-H", "X: y", "-HZ:")
    request = options.request()
    assert (request.method, request.version) == (b"HEAD", Version.HTTP10)
    assert request.fields == ((b"X", b"y"), (b"Z", b""))


def test_data(tmp_path: Path) -> None:
    """It is POSTed as a form, unless something else is said."""
    form = (b"Content-Type", b"application/x-www-form-urlencoded")
    assert asked("-d", "a=b") == Request(parsed("http://a/").url, b"POST", (form,), b"a=b")
    assert asked("-d", "", "-X", "PUT").method == b"PUT"
    assert asked("-d", "", "-H", "content-type: x").fields == ((b"content-type", b"x"),)
    tmp_path.joinpath("file").write_bytes(b"\x00\xff")
    assert asked("-d", f"@{tmp_path / 'file'}").body == b"\x00\xff"
    with pytest.raises(ClientError, match="No such file") as raised:
        asked("-d", f"@{tmp_path / 'none'}")
    assert raised.value.status is ExitStatus.USAGE


def test_theManner() -> None:
    options = parsed("--follow", "3", "-m", "2", "-t", "1", "--max-size", "9", "-k", "-x", "me:p@proxy:1")
    manner = options.manner
    assert manner.proxy is not None
    assert (manner.proxy.place, manner.proxy.credentials) == ("proxy:1", b"me:p")
    assert (manner.follow, manner.maxTime, manner.timeout, manner.maxSize) == (3, 2.0, 1.0, 9)
    assert manner.insecure
    assert manner.agent.startswith(b"labnet/")
    assert parsed().manner == Manner(maxSize=0, agent=manner.agent)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ftp://a/"], "the URL: the scheme ftp"),
        (["a", "b"], "one URL at a time"),
        (["-x", "https://p"], "--proxy: this is not of the form"),
        (["-x", "http://p/path"], "--proxy: this is not of the form"),
        (["-x", "http://p:0"], "--proxy: its port"),
        (["-X", "A B"], "--request: 'A B' is no method"),
        (["-X", "CONNECT"], "--request: 'CONNECT' is no method"),
        (["-I", "-d", "x"], "--head goes neither"),
        (["-I", "-X", "GET"], "--head goes neither"),
        (["-H", "nonsense"], "--header: 'nonsense': a field"),
        (["-H", "X: a\r\nY: b"], "--header: "),
        (["--raw", "--trace"], "--raw and --trace"),
        (["--replace"], "--replace goes with --output"),
        (["--follow", "-1"], "--follow: '-1'"),
        (["--timeout", "0"], "--timeout: '0'"),
        (["--cafile", "/dev/null"], "--cafile: '/dev/null' holds no certificates"),
    ],
)
def test_whatMakesNoSense(arguments: list[str], why: str) -> None:
    with pytest.raises(UsageError) as raised:
        parsed(*arguments)
    assert str(raised.value).startswith(why)


@pytest.mark.parametrize("arguments", [["http://me:hunter2@a:0/"], ["-x", "http://me:hunter2@p/path"]])
def test_passwordsAreNotRepeated(arguments: list[str]) -> None:
    with pytest.raises(UsageError) as raised:
        parsed(*arguments)
    assert "hunter2" not in str(raised.value)
