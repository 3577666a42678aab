"""
A teacher's file: what it changes, and what it is refused for.
"""

from __future__ import annotations

import pytest

from labnet.check.contractfile import Action, Addition, BadContractFile, ContractFile, Move, parse
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Side, Topic
from tests.documents import ROOT, blocks

WHOLE = """
title = "Exercise 3"
points = 10
only = ["plain", "segmentation"]
skip = ["started-again"]

[weights]
segmentation = 3
byte-by-byte = 0.5

[[scenario]]
name = "exercise-sum"
title = "the sum"
topic = "input"
why = "It is on the sheet."
mistake = "wrong-result"
weight = 2
variants = ["struct9"]
steps = [
  { send = "hex:0100 ff", pieces = 1 },
  { expect = "árvíztűrő\\r\\n" },
  { half-close = true },
  { expect-end = true },
]

[[scenario]]
name = "of-clients"
why = "They print."
side = "client"
transport = "udp"
steps = [{ expect = "a" }, { send = "b" }, { prints = "c" }, { ends = true }]
"""


def test_aWholeFile() -> None:
    file = parse(WHOLE)
    assert (file.title, file.points, file.only, file.skip) == (
        "Exercise 3",
        10.0,
        ("plain", "segmentation"),
        ("started-again",),
    )
    first, second = file.additions
    assert first == Addition(
        "exercise-sum", "the sum", Topic.INPUT, "It is on the sheet.", Side.SERVER, "tcp",
        (
            Move(Action.SEND, b"\x01\0\xff", 1),
            Move(Action.EXPECT, "árvíztűrő\r\n".encode()),
            Move(Action.HALF_CLOSE),
            Move(Action.EXPECT_END),
        ),
        Mistake.WRONG_RESULT, 2.0, frozenset({"struct9"}),
    )  # fmt: skip
    assert (second.title, second.topic, second.side, second.weight) == (
        "of-clients",
        Topic.PLAIN,
        Side.CLIENT,
        1.0,
    )


def test_aScenariosOwnWeightCounts() -> None:
    file = parse(WHOLE)
    assert file.weight("byte-by-byte", Topic.SEGMENTATION, 1.0) == 0.5
    assert file.weight("another", Topic.SEGMENTATION, 1.0) == 3.0
    assert file.weight("another", Topic.PLAIN, 4.0) == 4.0


def test_thePagesExercise() -> None:
    """The file that a teacher copies from the page."""
    (text,) = [block.text for block in blocks(ROOT / "docs" / "check.md") if block.language == "toml"]
    file = parse(text)
    assert (file.title, file.points) == ("Exercise 3: the calculator", 10.0)
    assert [one.name for one in file.additions] == ["exercise-sum"]


def test_anEmptyFileChangesNothing() -> None:
    assert parse("") == ContractFile()


ONE = '[[scenario]]\nname = "x"\nwhy = "y"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x", "not TOML"),
        ("a = " + "[" * 5_000, "not TOML"),
        ("ponits = 1", "ponits: no such key; there are only, points"),
        ("title = 1", "title: not a string"),
        ('title = " "', "title: not a string with something in it"),
        ("points = true", "points: not a number from 0 to 1000"),
        ("points = -1", "points: not a number"),
        ("points = nan", "points: not a number"),
        ("only = 'x'", "only: not an array of strings"),
        ("skip = [1]", "skip: not an array of strings"),
        ("weights = 1", "weights: not a table"),
        ("[weights]\nx = 'a'", "weights.x: not a number"),
        ("[scenario]", "scenario: write [[scenario]]"),
        ("[[scenario]]", "scenario[1]: name is missing"),
        (ONE, "scenario[1]: steps is missing"),
        (ONE + "steps = []", "scenario[1].steps: not an array of tables"),
        (ONE + "steps = [1]", "scenario[1].steps: not an array of tables"),
        (ONE + "colour = 'red'", "scenario[1].colour: no such key"),
        (
            ONE + "topic = 'x'\nsteps = [{send = ''}]",
            "scenario[1].topic: 'x' is none of plain, segmentation",
        ),
        (ONE + "side = 'x'\nsteps = [{send = ''}]", "scenario[1].side: 'x' is none of server, client"),
        (ONE + "mistake = 'x'\nsteps = [{send = ''}]", "scenario[1].mistake: 'x' is the id of none"),
        (ONE + "steps = [{}]", "scenario[1].steps[1]: one of send, expect"),
        (ONE + "steps = [{send = 'a', expect = 'b'}]", "scenario[1].steps[1]: one of"),
        (ONE + "steps = [{prints = 'a'}]", "scenario[1].steps[1]: one of send, expect, half-close"),
        (ONE + "transport = 'udp'\nsteps = [{reset = true}]", "scenario[1].steps[1]: one of send, expect"),
        (ONE + "steps = [{send = 1}]", "scenario[1].steps[1].send: not a string"),
        (ONE + "steps = [{send = 'hex:0'}]", "scenario[1].steps[1].send: not hexadecimal digits"),
        (ONE + "steps = [{send = 'a', pieces = -1}]", "scenario[1].steps[1].pieces: not a whole number"),
        (ONE + "steps = [{expect = 'a', pieces = 1}]", "scenario[1].steps[1].pieces: only what is sent"),
        (ONE + "steps = [{reset = false}]", "scenario[1].steps[1].reset: only true"),
    ],
)
def test_aMistakeIsOneLine(text: str, sentence: str) -> None:
    with pytest.raises(BadContractFile) as caught:
        parse(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
