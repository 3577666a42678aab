"""
The self-test's command line.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet import cli
from labnet.net.console import Console
from labnet.net.outcome import ExitStatus
from labnet.net.secure import VerifiedClientEndpoint
from labnet.net.service import ClientService
from labnet.proxyselftest import clienttap
from labnet.proxyselftest.client import Trial
from labnet.proxyselftest.clienttap import Options, makeService, run
from labnet.proxyselftest.scenarios import SCENARIOS
from labnet.proxyselftest.verdict import Finding, Outcome
from tests.proxyselftest.world import by


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def refused(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "credentials"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, b""),
        ("127.0.0.1:3128", "127.0.0.1", 3128, b""),
        ("http://proxy.example/", "proxy.example", 80, b""),
        ("http://[::1]:8118", "::1", 8118, b""),
        ("http://ann:p%40ss%3A@localhost:1", "localhost", 1, b"ann:p@ss:"),
        ("http://ann@localhost:1", "localhost", 1, b"ann:"),
    ],
)
def test_theProxy(url: str, host: str, port: int, credentials: bytes) -> None:
    options = parsed("--proxy", url)
    assert (options.host, options.port, options.credentials) == (host, port, credentials)
    settings = options.settings(MemoryReactorClock())
    assert isinstance(settings.proxy, HostnameEndpoint)
    assert settings.credentials == credentials


@pytest.mark.parametrize(
    "url",
    ["ftp://localhost", "http://", "http://a..b", "http://localhost:99999", "http://localhost:x", "http://[::1",
     "http://localhost/path", ""],
)  # fmt: skip
def test_whatIsNoProxy(url: str) -> None:
    assert refused("--proxy", url).startswith("--proxy: not of the form http")


def test_aProxyOverTLS(tmp_path: Path) -> None:
    options = parsed("--proxy", "https://proxy.example")
    assert options.port == 443
    assert isinstance(options.settings(MemoryReactorClock()).proxy, VerifiedClientEndpoint)
    assert options.shownProxy == "https://proxy.example:443"
    none = tmp_path / "none.pem"
    none.write_text("no certificate")
    assert refused("--proxy", "https://localhost", "--cafile", str(none)).startswith("--cafile: ")
    assert refused("--cafile", str(none)) == "--cafile goes with a proxy that is https://"


def test_thePasswordIsNotShown() -> None:
    options = parsed("--proxy", "http://ann:secret@[::1]:1")
    assert options.shownProxy == "http://[::1]:1"


@pytest.mark.parametrize(
    ("text", "listening"),
    [("127.0.0.2", ("127.0.0.2", 0)), ("127.0.0.3:8000", ("127.0.0.3", 8000)), ("::1", ("::1", 0)),
     ("[::1]:81", ("::1", 81))],
)  # fmt: skip
def test_whereTheOriginListens(text: str, listening: tuple[str, int]) -> None:
    options = parsed("--listen", text, "--origin", "origin.example")
    settings = options.settings(MemoryReactorClock())
    assert (settings.interface, settings.port) == listening
    assert settings.origin == "origin.example"
    assert parsed("--listen", text).settings(MemoryReactorClock()).origin == listening[0]


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1:70000", "127.0.0.1:x", ":80", ""])
def test_whereItCanNotListen(text: str) -> None:
    assert refused("--listen", text) == f"--listen: {text!r} is not of the form ADDRESS or ADDRESS:PORT"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--only", "gzib"), "--only: there is no scenario and no subject 'gzib'; --list has them all"),
        (("--word", "x"), "--word: from 2 to 60 printable characters"),
        (("--word", "a\nb"), "--word: from 2 to 60 printable characters"),
        (("--origin", "a..b"), "--origin: 'a..b' is neither a name nor an address"),
        (("--reverse",), "--reverse: the proxy must know where the origin is: --listen ADDRESS:PORT"),
        (
            ("--listen", "0.0.0.0:8000"),
            "--listen: every address: --origin says by which the proxy reaches this machine",
        ),
        (("--at-once", "0"), "--at-once: '0' is not a whole number from 1 to 100"),
    ],
)
def test_whatIsMistaken(arguments: tuple[str, ...], sentence: str) -> None:
    assert refused(*arguments) == sentence


def test_theWordAndItsCompany() -> None:
    """Each run has another nonce: what an earlier one left in a cache is not taken for this one's."""
    one, other = parsed("--word", "hálózat").marker, parsed("--word", "hálózat").marker
    assert one.word == other.word == "hálózat".encode()
    assert one.nonce != other.nonce


def test_onlySome() -> None:
    options = parsed("--only", "gzip,br", "--only", "ranges")
    assert [scenario.name for scenario in options.scenarios][:2] == ["gzip", "br"]
    assert len(options.scenarios) == 6
    assert parsed().scenarios == SCENARIOS


def ran(monkeypatch: pytest.MonkeyPatch, outcome: Outcome, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a run in which every scenario has one outcome."""

    async def everything(reactor: object, scenarios: Any, settings: object, **named: Any) -> list[Trial]:
        return [Trial(Finding(scenario, outcome, "so it was", 200)) for scenario in scenarios]

    monkeypatch.setattr(clienttap, "runScenarios", everything)
    out = io.StringIO()
    results: list[Any] = []
    console = Console(out, io.StringIO())
    Deferred.fromCoroutine(run(MemoryReactorClock(), parsed(*arguments), console)).addBoth(results.append)
    return results[0], out.getvalue()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_theStatusSaysWhetherAnythingWasBad(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    status, _ = ran(monkeypatch, outcome)
    bad = outcome in (Outcome.THROUGH, Outcome.BROKEN)
    assert status == (ExitStatus.ANSWERED_ERROR if bad else ExitStatus.OK)


def test_theTable(monkeypatch: pytest.MonkeyPatch) -> None:
    _, out = ran(monkeypatch, Outcome.THROUGH, "--only", "gzip,br")
    assert "GOT THROUGH   brotli" in out
    assert "\n2 scenarios: 2 got through, in 0.0 s\n" in out
    assert out.endswith(
        "to see one byte for byte: labnet-proxy-selftest --proxy http://127.0.0.1:8080 --only gzip --show\n"
    )


def test_byteForByte(monkeypatch: pytest.MonkeyPatch) -> None:
    _, out = ran(monkeypatch, Outcome.THROUGH, "--only", "gzip", "--show")
    assert out.startswith("gzip: got through: so it was\n")
    assert "to see one" not in out


def test_asJSON(monkeypatch: pytest.MonkeyPatch) -> None:
    status, out = ran(monkeypatch, Outcome.BLOCKED, "--only", "gzip", "--json")
    assert status == ExitStatus.OK
    assert json.loads(out)["scenarios"][0]["outcome"] == "blocked"


def test_theListRunsNothing(monkeypatch: pytest.MonkeyPatch) -> None:
    status, out = ran(monkeypatch, Outcome.BROKEN, "--list")
    assert status == ExitStatus.OK
    assert all(scenario.name in out and scenario.line in out for scenario in SCENARIOS)


def test_itIsAService() -> None:
    assert isinstance(makeService(parsed("--only", by("gzip").name)), ClientService)


def test_theCommandOfItsOwn(monkeypatch: pytest.MonkeyPatch) -> None:
    """C{labnet-proxy-selftest ...} is C{labnet proxy-selftest ...}."""
    calls: list[list[str]] = []
    monkeypatch.setattr(cli, "main", calls.append)
    monkeypatch.setattr(cli.sys, "argv", ["labnet-proxy-selftest", "--list"])
    cli.proxySelftest()
    assert calls == [["proxy-selftest", "--list"]]
