"""
The catalogue: every row is whole, and whoever reads it finds what it promises.
"""

from __future__ import annotations

from importlib import import_module, resources
from typing import Any

import pytest
from twisted.application.service import IServiceMaker
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.python.usage import Options

from labnet.catalogue import CATALOGUE, Entry, Kind, clients, entryFor, servers
from labnet.net.endpoints import (
    LOOPBACK,
    isDatagram,
    parseDatagramAddress,
    parseDatagramTarget,
    parseStreamClient,
)

every = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.plugin)
everyServer = pytest.mark.parametrize("entry", servers(), ids=lambda entry: entry.plugin)
everyClient = pytest.mark.parametrize("entry", clients(), ids=lambda entry: entry.plugin)


def bare(description: str) -> str:
    """The description without the variant that may stand before it, as in C{upper=tcp:8082}."""
    head, equals, rest = description.partition("=")
    return rest if equals and ":" not in head else description


def optionsOf(entry: Entry) -> Any:
    return import_module(entry.tap).Options()


def test_namesAreUnique() -> None:
    names = [(entry.name, entry.kind) for entry in CATALOGUE]
    plugins = [entry.plugin for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert len(set(plugins)) == len(plugins)


def test_theLabIsOneOfThem() -> None:
    assert [entry.plugin for entry in CATALOGUE if entry.kind is Kind.LAB] == ["labnet"]


def test_aRowIsFoundByNameAndKind() -> None:
    assert entryFor("calculator", Kind.CLIENT).plugin == "labnet-calculator-client"
    assert entryFor("calculator", Kind.SERVER).plugin == "labnet-calculator"
    with pytest.raises(KeyError):
        entryFor("calculator", Kind.LAB)


@every
def test_theLineIsOneShortSentence(entry: Entry) -> None:
    assert "\n" not in entry.line
    assert 10 < len(entry.line) < 80


@every
def test_theTapIsWhole(entry: Entry) -> None:
    tap = import_module(entry.tap)
    assert issubclass(tap.Options, Options)
    assert callable(tap.makeService)
    assert callable(getattr(tap, "run", None)) is (entry.kind is Kind.CLIENT)


@every
def test_everyOptionIsDescribed(entry: Entry) -> None:
    """A person who asks for help is told what each option does."""
    options = optionsOf(entry)
    text = str(options)
    for long in options.longOpt:
        name = long.rstrip("=").replace("_", "-")
        assert f"--{name}" in text
        described = options.docs.get(long.rstrip("="), "") or options.docs.get(name, "")
        assert described or name in ("help", "version"), f"--{name} says nothing about itself"


@every
def test_defaultsAreAccepted(entry: Entry) -> None:
    """Nothing needs to be said to start with the defaults."""
    optionsOf(entry).parseOptions([])


@everyServer
def test_aServersTapKnowsItsRow(entry: Entry) -> None:
    assert import_module(entry.tap).Options.entry is entry


@everyServer
def test_serversListenOnLoopbackUnlessToldOtherwise(entry: Entry) -> None:
    assert entry.endpoints
    for description in map(bare, entry.endpoints):
        if isDatagram(description):
            assert parseDatagramAddress(description).interface == LOOPBACK
        else:
            reactor = MemoryReactorClock()
            assert serverFromString(reactor, description)._interface == LOOPBACK


def test_noTwoServersHaveOnePort() -> None:
    ports = [
        tuple(bare(description).split(":")[:2]) for entry in servers() for description in entry.endpoints
    ]
    assert len(set(ports)) == len(ports)


@everyServer
def test_referencesNameOptionsAndServers(entry: Entry) -> None:
    """What an option says about another server is true: there is such an option, and such a server."""
    options = optionsOf(entry)
    for option, (name, transport) in options.references.items():
        assert f"{option}=" in options.longOpt
        assert name in [other.name for other in servers()]
        assert transport in ("tcp", "udp")


@everyClient
def test_aClientsEndpointCanBeReached(entry: Entry) -> None:
    """There is one at most; a client that goes where it is told has none."""
    assert len(entry.endpoints) <= 1
    for description in entry.endpoints:
        if isDatagram(description):
            parseDatagramTarget(description)
        else:
            parseStreamClient(MemoryReactorClock(), description, 1.0)


def test_everyRowIsAPlugin() -> None:
    """C{twistd} finds each row, with its line, and nothing else of labnet's."""
    found = {
        maker.tapname: maker for maker in getPlugins(IServiceMaker) if maker.tapname.startswith("labnet")
    }
    assert {name: (maker.module, maker.description) for name, maker in found.items()} == {
        entry.plugin: (entry.tap, entry.line) for entry in CATALOGUE
    }


def test_theTypesAreShipped() -> None:
    assert resources.files("labnet").joinpath("py.typed").is_file()
