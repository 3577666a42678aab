"""
The contracts as data: every scenario can be told and found, and every mistake is whole.
"""

from __future__ import annotations

import re

import pytest

from labnet.catalogue import CATALOGUE
from labnet.check.collection import contractFor, contracts
from labnet.check.mistakes import Mistake, mistakeCalled
from labnet.check.scenario import Contract, Side, Topic, scenarioName

everyContract = pytest.mark.parametrize("service", contracts())


def test_mistakesAreWhole() -> None:
    """An id of words, a sentence to whom has made it, why it is one, and what helps."""
    ids = [mistake.id for mistake in Mistake]
    assert len(set(ids)) == len(ids)
    for mistake in Mistake:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.id)
        assert mistakeCalled(mistake.id) is mistake
        for words in (mistake.sentence, mistake.explanation, mistake.cure):
            assert words.endswith("."), mistake
            assert "  " not in words
            assert words == words.strip()
    with pytest.raises(KeyError):
        mistakeCalled("none")


@pytest.mark.parametrize(
    ("function", "name"),
    [("byteByByte", "byte-by-byte"), ("one", "one"), ("answerTo2Questions", "answer-to2-questions")],
)
def test_scenariosAreCalledAfterTheirFunctions(function: str, name: str) -> None:
    assert scenarioName(function) == name


def test_aContractRefusesWhatCanNotBeTold() -> None:
    contract = Contract("echo")

    @contract.server("once", Topic.PLAIN)
    async def once(server: object) -> None:
        """It is plain."""

    with pytest.raises(ValueError, match="two scenarios of echo are called once"):
        contract.server("again", Topic.PLAIN, name="once", why="Because.")(once)
    contract.client("a client may have the name of a server's", Topic.PLAIN)(once)
    with pytest.raises(ValueError, match="does not say why"):
        contract.server("no reason", Topic.PLAIN, name="another", why="")(once)


def test_theBasisComesFirst() -> None:
    contract = Contract("echo", ("a", "b"))

    async def play(peer: object) -> None:
        """Why."""

    contract.server("late", Topic.LIMITS, name="late", variants=["b"])(play)
    contract.server("first", Topic.PLAIN, name="first", basis=True, transports=("tcp", "udp"))(play)

    def names(transport: str, variant: str) -> list[str]:
        return [scenario.name for scenario in contract.chosen(Side.SERVER, transport, variant)]

    assert names("tcp", "b") == ["first", "late"]
    assert names("tcp", "a") == names("udp", "b") == ["first"]
    assert contract.chosen(Side.CLIENT, "tcp", "a") == []


@everyContract
def test_aContractIsOfAService(service: str) -> None:
    assert service in {entry.name for entry in CATALOGUE}
    assert contractFor(service).service == service


@everyContract
def test_scenariosAreToldInWords(service: str) -> None:
    """A title in a few words, a reason in sentences, a mistake; names that a shell takes as they are."""
    words = {topic.word for topic in Topic}
    for scenario in contractFor(service).scenarios:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", scenario.name)
        assert scenario.name not in words
        assert len(scenario.title) <= 60
        assert not scenario.title.endswith(".")
        assert scenario.why.endswith(".")
        assert scenario.mistake is not None, scenario.name


@everyContract
def test_thereIsABasisForWhateverIsExamined(service: str) -> None:
    """A scenario without which the others make no sense, on every side, transport and variant."""
    contract = contractFor(service)
    for scenario in contract.scenarios:
        for transport in scenario.transports:
            for variant in scenario.variants or contract.variants or ("",):
                chosen = contract.chosen(scenario.side, transport, variant)
                assert chosen[0].basis, (scenario.name, transport, variant)
                assert chosen[0].topic is Topic.PLAIN


def test_thereIsNoOtherContract() -> None:
    with pytest.raises(KeyError):
        contractFor("no-such-service")
