"""
The command line of the examiner, and what a teacher's file does to a contract.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from labnet.check.clienttap import Options
from labnet.check.scenario import Side

SERVER = ["calculator", "--server", "tcp:127.0.0.1:9000"]
CLIENT = ["calculator", "--client", "--", "true", "{host}", "{port}"]


def options(*arguments: str) -> Options:
    parsed = Options()
    parsed.parseOptions(arguments)
    return parsed


def names(parsed: Options) -> list[str]:
    return [planned.scenario.name for planned in parsed.plan]


def test_aServer() -> None:
    """A running one can not be started again, so nothing that needs that is in its plan."""
    parsed = options(*SERVER)
    assert (parsed.side, parsed.transport, parsed.address) == (Side.SERVER, "tcp", ("127.0.0.1", 9000))
    assert parsed.variant == "struct9"
    assert parsed.what == "tcp:127.0.0.1:9000"
    assert "started-again" not in names(parsed)
    started = options("calculator", "--server", "tcp:127.0.0.1:0", "--", "true", "{port}")
    assert "started-again" in names(started)
    assert (started.command, started.what) == (("true", "{port}"), "true {port}")


def test_aClient() -> None:
    parsed = options("--client", "--port", "9000", "--profile", "net", *CLIENT)
    assert (parsed.side, parsed.transport, parsed.address) == (Side.CLIENT, "tcp", ("127.0.0.1", 9000))
    assert (parsed.variant, parsed.typed) == ("net", b"")
    over = options("--transport", "udp", *CLIENT)
    assert "lost-datagram" in names(over)


def test_ipv6() -> None:
    assert options("calculator", "--server", "udp:[::1]:9001").address == ("::1", 9001)


def test_aCommandMayHaveOptionsLikeOurs() -> None:
    parsed = options("calculator", "--client", "--", "true", "--seed", "7", "--list")
    assert parsed.command == ("true", "--seed", "7", "--list")
    assert not parsed["list"]


def test_theSeed() -> None:
    assert options(*SERVER, "--seed", "7").seed == 7
    assert len({options(*SERVER).seed for _ in range(20)}) > 1


def test_scenariosAreChosen() -> None:
    assert names(options(*SERVER, "--only", "half-close,one-calculation")) == [
        "one-calculation",
        "half-closed",
        "end-in-the-middle",
    ]
    assert "one-calculation" not in names(options(*SERVER, "--skip", "plain"))


def test_whatIsTyped(tmp_path: Path) -> None:
    typed = tmp_path / "typed"
    typed.write_bytes(b"12 + 34\n")
    assert options("--input", str(typed), *CLIENT).typed == b"12 + 34\n"


FILE = """
title = "Exercise 3"
points = 10
skip = ["limits"]
[weights]
segmentation = 3
byte-by-byte = 5
[[scenario]]
name = "mine"
why = "It is on the sheet."
weight = 2
steps = [{ send = "a", pieces = 1 }]
"""


def test_aTeachersFile(tmp_path: Path) -> None:
    path = tmp_path / "exercise.toml"
    path.write_text(FILE)
    parsed = options(*SERVER, "--contract", str(path))
    weights = {planned.scenario.name: planned.weight for planned in parsed.plan}
    assert "idle-clients" not in weights
    assert (weights["byte-by-byte"], weights["cut-everywhere"], weights["half-closed"]) == (5.0, 3.0, 1.0)
    assert weights["mine"] == 2.0
    assert (parsed.file.title, parsed.file.points) == ("Exercise 3", 10.0)
    assert names(parsed)[0] == "one-calculation"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("points = 'x'", "points: not a number"),
        ("only = ['nonsense']", "--contract: only: 'nonsense' is no scenario and no topic"),
        ("[weights]\nnonsense = 1", "--contract: weights: 'nonsense' is no scenario and no topic"),
        (FILE.replace('"mine"', '"byte-by-byte"'), "two scenarios of calculator are called byte-by-byte"),
        ("only = ['plain']\nskip = ['plain']", "there is nothing to examine of a server over tcp"),
    ],
)
def test_aMistakenFile(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "exercise.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        options(*SERVER, "--contract", str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--client", "--", "true"], "there is no contract for 'true'"),
        (["nonsense", "--client"], "there is no contract for 'nonsense'; there are "),
        (["--server", "tcp:127.0.0.1:9000"], "which service?"),
        (["calculator"], "who is examined?"),
        (["--client", "calculator"], "what starts it?"),
        (["--client", *SERVER], "one of them"),
        (["calculator", "--server", "9000"], "'9000' is not of the form"),
        (["calculator", "--server", "tcp:127.0.0.1:0"], "is not of the form"),
        (["calculator", "--server", "tcp:127.0.0.1:70000"], "is not of the form"),
        (["calculator", "--server", "tcp:a..b:1"], "is not of the form"),
        (
            ["calculator", "--server", "tcp:127.0.0.1:0", "--", "true"],
            "port 0 goes with {port} in the command",
        ),
        (["calculator", "--client", "--", "no-such-program"], "there is no program 'no-such-program'"),
        (["--only", "nonsense", *CLIENT], "--only: 'nonsense' is no scenario and no topic"),
        (["--skip", "nonsense", *CLIENT], "--skip: 'nonsense' is no scenario and no topic"),
        (["--profile", "nonsense", *CLIENT], "'nonsense' is none of struct9"),
        (["--profile", "net", "--variant", "json", *CLIENT], "are one option"),
        (["--contract", "/no/such/file", *CLIENT], "/no/such/file: No such file or directory"),
        (["--input", "/no/such/file", *CLIENT], "/no/such/file: No such file or directory"),
        (["--output", "/no/such/file", *CLIENT], "there is no such folder"),
        (["--format", "nonsense", *CLIENT], "--format: 'nonsense' is none of text"),
        (["--seed", "-1", *CLIENT], "--seed: '-1' is not a whole number"),
    ],
)
def test_aMistakenCommandLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aListNeedsNobodyToExamine() -> None:
    assert "started-again" in names(options("calculator", "--list"))
    assert "answer-cut" in names(options("calculator", "--list", "--client"))
