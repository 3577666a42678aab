"""
The lab's TOML file: what it may say, and the one line about what it may not.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.lab.config import Arity, ConfigError, Section, Setting, argv, parse

GRAMMARS = {
    "discovery": {"listen": Arity.REPEATED},
    "calculator": {
        "listen": Arity.REPEATED,
        "profile": Arity.VALUE,
        "idle-timeout": Arity.VALUE,
        "modulo": Arity.FLAG,
    },
}


def mistake(text: str) -> str:
    """What is said about a mistaken file."""
    with pytest.raises(ConfigError) as caught:
        parse(text, GRAMMARS)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_oneOfAKind() -> None:
    """C{[calculator]} is one calculator, without a number, on a command line of its own."""
    (section,) = parse('[calculator]\nlisten = ["tcp:1", "udp:2"]\nprofile = "net"\n', GRAMMARS).sections
    assert section.path == "calculator"
    assert argv(section.settings) == ["--listen=tcp:1", "--listen=udp:2", "--profile=net"]


def test_severalOfAKindAreNumbered() -> None:
    sections = parse('[[calculator]]\n[[calculator]]\nprofile = "net"\n', GRAMMARS).sections
    assert [section.path for section in sections] == ["calculator[1]", "calculator[2]"]
    assert sections[1].values("profile") == ["net"]


def test_oneInAnArrayHasNoNumber() -> None:
    assert parse("[[calculator]]\n", GRAMMARS).sections == (Section("calculator"),)


def test_theOrderIsTheGrammars() -> None:
    """Discovery starts first wherever it stands in the file."""
    document = parse("[calculator]\n[discovery]\n", GRAMMARS)
    assert [section.service for section in document.sections] == ["discovery", "calculator"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("modulo = true", ["--modulo"]),
        ("modulo = false", []),
        ("idle-timeout = 5", ["--idle-timeout=5"]),
        ("idle-timeout = 0.5", ["--idle-timeout=0.5"]),
        ("idle-timeout = -5", ["--idle-timeout=-5"]),
        ('profile = ""', ["--profile="]),
        ('profile = "--modulo"', ["--profile=--modulo"]),
        ('listen = "tcp:1"', ["--listen=tcp:1"]),
        ("listen = []", []),
    ],
)
def test_valuesBecomeArguments(line: str, expected: list[str]) -> None:
    (section,) = parse(f"[calculator]\n{line}\n", GRAMMARS).sections
    assert argv(section.settings) == expected


def test_theLogIsTheLabs() -> None:
    assert parse("json-logs = true\n[discovery]\n", GRAMMARS).jsonLogs
    assert not parse("[discovery]\n", GRAMMARS).jsonLogs
    assert "above the tables" in mistake("[discovery]\njson-logs = true\n")
    assert mistake('json-logs = "yes"\n[discovery]\n') == "json-logs: 'yes' is not true or false"


COMMON = {"modulo": Arity.FLAG, "listen": Arity.REPEATED}


def test_whatStandsAboveTheTablesHoldsForAll() -> None:
    """For each that says nothing of its own; a table may say no."""
    text = 'modulo = true\n[[calculator]]\nprofile = "net"\n[[calculator]]\nmodulo = false\n'
    first, second = parse(text, GRAMMARS, COMMON).sections
    assert argv(first.settings) == ["--profile=net", "--modulo"]
    assert argv(second.settings) == []
    text = 'listen = ["tcp:1", "tcp:2"]\n[discovery]\n'
    (section,) = parse(text, GRAMMARS, COMMON).sections
    assert argv(section.settings) == ["--listen=tcp:1", "--listen=tcp:2"]


def test_aMistakeAboveTheTables() -> None:
    with pytest.raises(ConfigError, match=r"^modulo: 1 is not true or false$"):
        parse("modulo = 1\n[discovery]\n", GRAMMARS, COMMON)
    with pytest.raises(ConfigError, match=r"^modul: .* calculator, modulo, listen, and json-logs$"):
        parse("modul = true\n[discovery]\n", GRAMMARS, COMMON)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[calculater]\n", "calculater: no such service; allowed are discovery, calculator, and json-logs"),
        (
            '[calculator]\nprofil = "net"\n',
            "calculator.profil: no such option; allowed are idle-timeout, listen, modulo, profile",
        ),
        ("[[calculator]]\n[[calculator]]\nmodulo = 1\n", "calculator[2].modulo: 1 is not true or false"),
        ("[calculator]\nprofile = true\n", "calculator.profile: true is not a string or a number"),
        ('[calculator]\nprofile = ["net"]\n', "calculator.profile: an array is not a string or a number"),
        ("[calculator.profile]\n", "calculator.profile: a table is not a string or a number"),
        (
            "[calculator]\nprofile = 1979-05-27\n",
            "calculator.profile: 1979-05-27 is not a string or a number",
        ),
        (
            "[calculator]\nlisten = 9000\n",
            "calculator.listen: 9000 is not a string, or an array of strings",
        ),
        (
            '[calculator]\nlisten = ["tcp:1", 2]\n',
            "calculator.listen: an array is not a string, or an array of strings",
        ),
        ("calculator = 9000\n", "calculator: 9000 is not a table; write [calculator] or [[calculator]]"),
        ("", "names no service; allowed are discovery, calculator"),
        ("calculator = []\n", "names no service; allowed are discovery, calculator"),
    ],
)
def test_aMistakeIsNamedWithItsKeyAndWhatIsAllowed(text: str, message: str) -> None:
    assert mistake(text) == message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[calculator]\nprofile = net\n", 2),
        ("[discovery]\n\n[calculator\n", 3),
        ('[calculator]\nprofile = "net"\nprofile = "int4"\n', 3),
    ],
)
def test_whatIsNotTOMLIsNamedWithItsLine(text: str, line: int) -> None:
    message = mistake(text)
    assert message.startswith("not TOML: ")
    assert f"line {line}," in message


def test_aLongValueIsCutInTheMessage() -> None:
    assert len(mistake(f'[calculator]\nmodulo = "{"x" * 1000}"\n')) < 150


def test_nestingEndsInOneLine() -> None:
    assert mistake(f"x = {'[' * 100_000}").startswith("not TOML: ")


@given(st.text())
def test_noTextRaisesAnythingElse(text: str) -> None:
    with suppress(ConfigError):
        parse(text, GRAMMARS)


@given(st.text().filter(lambda text: text.isprintable() and not set(text) & {'"', "\\"}))
def test_aValueArrivesAsItStands(value: str) -> None:
    (section,) = parse(f'[calculator]\nprofile = "{value}"\n', GRAMMARS).sections
    assert section.settings == (Setting("profile", value),)
