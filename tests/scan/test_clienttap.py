"""
The scanner's command line: what it takes, what it refuses before any packet, and what names lead to.
"""

from __future__ import annotations

import io
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.python.usage import UsageError

from labnet.catalogue import CATALOGUE, Kind
from labnet.names.client import Endpoint, Family
from labnet.net.console import Console
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from labnet.scan import clienttap
from labnet.scan.clienttap import (
    MOST_OF_A_NAME,
    Options,
    labPorts,
    makeService,
    resolved,
    run,
    serviceOf,
)
from labnet.scan.policy import Ownership
from labnet.scan.target import parseTarget
from tests.scan.network import Network


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def refused(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def leadingTo(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Every name has these addresses."""
    found = [Endpoint(Family.IPV6 if ":" in host else Family.IPV4, host, 0) for host in hosts]
    monkeypatch.setattr(clienttap, "addresses", lambda *given, **named: succeed(found))


def outcome(coroutine: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    return result


def test_hostAndPorts() -> None:
    options = parsed("localhost", "22,80,8000-8002")
    assert [target.text for target in options.targets] == ["localhost"]
    assert options.ports == (22, 80, 8000, 8001, 8002)


def test_severalHosts() -> None:
    options = parsed("127.0.0.1", "[::1]", "10.0.0.0/30", "-")
    assert [target.text for target in options.targets] == ["127.0.0.1", "::1", "10.0.0.0/30"]
    assert len(options.ports) == 65_535


def test_withoutPortsTheWellKnownOnesAndTheLabs() -> None:
    options = parsed("127.0.0.1")
    assert set(range(1, 1025)) | set(labPorts()) == set(options.ports)
    assert {9000, 8082, 9996, 7019} <= set(options.ports)
    assert labPorts("udp")[8083] == "echo (ack)"


def test_optionsMayStandAnywhere() -> None:
    for arguments in (
        ("--json", "--tries", "2", "::1", "80"),
        ("::1", "--json", "80", "--tries=2"),
        ("::1", "80", "--tries", "2", "-j"),
    ):
        options = parsed(*arguments)
        assert (options["json"], options["tries"], options.ports) == (1, 2, (80,))


@pytest.mark.parametrize("ports", ["0", "65536", "1-65536", "0-"])
def test_portsThatAreNoneAreRefused(ports: str) -> None:
    assert "ports go from 1 to 65535" in refused("127.0.0.1", ports)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2001:db8::1", "[2001:db8::1]", "::ffff:8.8.8.8", "8.8.8.0/28"]
)
def test_strangersAreRefusedOnTheCommandLine(host: str) -> None:
    assert "neither loopback nor private" in refused(host, "80")
    assert "neither loopback nor private" in refused("127.0.0.1", host, "80")


def test_oneIsAllowedWhenNamed() -> None:
    options = parsed("203.0.113.7", "80", "--yes-this-is-mine", "203.0.113.7")
    assert options.targets[0].addresses == (ip_address("203.0.113.7"),)


def test_whatIsNamedIsOneHost() -> None:
    assert "not a network" in refused("203.0.113.0/30", "--yes-this-is-mine", "203.0.113.0/30")
    assert "neither a name" in refused("127.0.0.1", "--yes-this-is-mine", "a b")


def test_addressesAreBoundedInAll() -> None:
    assert "over 1024 addresses" in refused("10.0.0.0/22", "10.0.4.0/22")
    assert "at most 1024" in refused("10.0.0.0/8")


@pytest.mark.parametrize(
    "arguments",
    [("--timeout", "0"), ("--tries", "0"), ("--at-once", "0"), ("--rate", "-1"), ("--rate", "nan"),
     ("--timeout", "inf"), ("--no-such-option",)],
)  # fmt: skip
def test_mistakesAreOneLine(arguments: tuple[str, ...]) -> None:
    refused("127.0.0.1", *arguments)


def test_noMoreAtOnceThanDescriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clienttap, "mostAtOnce", lambda: 17)
    assert parsed("127.0.0.1").pace.atOnce == 17
    assert parsed("127.0.0.1", "--at-once", "5").pace.atOnce == 5


def test_aNameIsJudgedByWhatItLeadsTo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name for a private address is fine; as soon as one of its addresses is public, it is not."""
    targets, nobody = [parseTarget("my.example")], Ownership()
    leadingTo(monkeypatch, "10.0.0.1", "fd00::1")
    places = outcome(resolved(None, targets, nobody, 1.0))
    assert [str(address) for _, address in places] == ["10.0.0.1", "fd00::1"]
    leadingTo(monkeypatch, "10.0.0.1", "203.0.113.7")
    problem = outcome(resolved(None, targets, nobody, 1.0)).value
    assert isinstance(problem, ClientError)
    assert problem.status is ExitStatus.USAGE
    assert "my.example leads to 203.0.113.7" in str(problem)
    named = Ownership([parseTarget("my.example")])
    assert len(outcome(resolved(None, targets, named, 1.0))) == 2


def test_aNameWithTooManyAddressesIsRefused(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [parseTarget("many.example")]
    leadingTo(monkeypatch, *(f"10.0.0.{number}" for number in range(1, MOST_OF_A_NAME + 1)))
    assert len(outcome(resolved(None, targets, Ownership(), 1.0))) == MOST_OF_A_NAME
    leadingTo(monkeypatch, *(f"10.0.0.{number}" for number in range(1, MOST_OF_A_NAME + 2)))
    assert isinstance(outcome(resolved(None, targets, Ownership(), 1.0)).value, ClientError)


def test_anAddressIsScannedOnce(monkeypatch: pytest.MonkeyPatch) -> None:
    leadingTo(monkeypatch, "127.0.0.1", "127.0.0.1")
    targets = [parseTarget("localhost"), parseTarget("127.0.0.1")]
    places = outcome(resolved(None, targets, Ownership(), 1.0))
    assert [(target.text, str(address)) for target, address in places] == [("localhost", "127.0.0.1")]


def test_nothingIsSentToOneWhoIsRefused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal comes before the first socket."""
    leadingTo(monkeypatch, "203.0.113.7")
    network = Network()
    problem = outcome(run(network, parsed("innocent.example", "80"), Console(io.StringIO(), io.StringIO())))
    assert problem.check(ClientError)
    assert not network.attempts


def test_servicesHaveTheLabsNamesFirst() -> None:
    assert serviceOf(9000) == "labnet calculator"
    assert serviceOf(8082) == "labnet echo (upper)"
    assert serviceOf(5002) == "labnet files (http)"
    assert serviceOf(22) == "ssh"
    assert serviceOf(60_001) == ""


def test_nobodyElseCanHaveAMachineScanned() -> None:
    """There is a client, and no server that would scan for those who ask it."""
    kinds = {entry.kind for entry in CATALOGUE if entry.tap.startswith("labnet.scan")}
    assert kinds == {Kind.CLIENT}


def test_asAPlugin() -> None:
    assert isinstance(makeService(parsed("127.0.0.1")), ClientService)
