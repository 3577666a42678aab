"""
The options for the operator.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from twisted.application.service import IServiceCollection
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet.net import options as net
from labnet.net.inorder import InOrder
from labnet.net.service import listeners
from labnet.proxy.accesslog import AccessLog, LoggedJournal
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.tap import Options, makeService


def read(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(["--listen", "tcp:0", *arguments])
    return options


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--access-log", "x", "--access-format", "%Z"], "--access-format: '%Z' is not a directive"),
        (["--access-log", "x", "--access-format", "%{Cookie}i"], "credentials are not written"),
        (["--access-format", "json"], "they go with --access-log"),
        (["--no-query"], "they go with --access-log"),
        (["--access-log", "/nowhere/x"], "--access-log: /nowhere/x: there is no directory /nowhere"),
        (["--access-log", "/"], "--access-log: /: it is a directory"),
        (["--admin", "tcp:x"], "--admin: 'tcp:x'"),
        (["--admin", "unix:x", "--workers", "2"], "--admin: 'unix:x': workers listen on"),
        (["--pac-proxy", "p:1"], "they go with --admin"),
        (["--pac-direct", "h"], "they go with --admin"),
        (["--admin-host", "h"], "they go with --admin"),
        (["--admin", "tcp:0", "--pac-proxy", "p"], "--pac-proxy: 'p' is not of the form HOST:PORT"),
        (["--admin", "tcp:0", "--pac-proxy", "p:99999"], "--pac-proxy"),
        (["--admin", "tcp:0", "--pac-direct", 'a"b'], "--pac-direct"),
        (["--admin", "tcp:0", "--admin-host", "a b"], "--admin-host"),
    ],
)
def test_whatIsWrongIsSaidInOneLine(arguments: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*arguments)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_theExtraIsNamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match=r"pip install 'labnet\[metrics\]'"):
        read("--admin", "tcp:0")


def test_whoAsksForNothingGetsNothingAround() -> None:
    """The listeners, with a line in the log for each decision."""
    service = makeService(read())
    assert not isinstance(service, InOrder)
    (listener,) = listeners(service)
    assert isinstance(listener.factory.journal, LoggedJournal)  # type: ignore[attr-defined]


def test_anAccessLogIsOpenAroundTheProxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes the place of the lines in the log. A relative name is where the command was given."""
    monkeypatch.chdir(tmp_path)
    service = makeService(read("--access-log", "log"))
    monkeypatch.chdir("/")
    log, *_ = IServiceCollection(service)
    assert isinstance(log, AccessLog)
    (listener,) = listeners(service)
    assert listener.factory.journal is log  # type: ignore[attr-defined]
    log.startService()
    assert (tmp_path / "log").exists()
    log.stopService()


def test_theAdminListenerComesFirst(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts before the proxy, so it is there until the proxy has ended."""
    reactor = MemoryReactorClock()
    monkeypatch.setattr(net, "globalReactor", lambda: reactor)
    service = makeService(read("--admin", "tcp:9090"))
    service.startService()
    assert [(server[0], server[3]) for server in reactor.tcpServers] == [
        (9090, "127.0.0.1"),
        (0, "127.0.0.1"),
    ]
    factories = [listener.factory for listener in listeners(service)]  # type: ignore[attr-defined]
    assert [isinstance(factory, ProxyFactory) for factory in factories] == [False, True]
