"""
A teacher's file for the examiner, without input or output: text in, what it changes out.

It is TOML. It leaves scenarios out, makes others count more, and adds some of its own, in steps. All of it
is in C{docs/check.md}.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from labnet.check.mistakes import Mistake, mistakeCalled
from labnet.check.scenario import Side, Topic

__all__ = ["Action", "Addition", "BadContractFile", "ContractFile", "Move", "parse"]

_KEYS = {"title", "points", "only", "skip", "weights", "scenario"}
_OF_SCENARIO = {
    "name", "title", "topic", "why", "side", "transport", "mistake", "weight", "variants", "steps",
}  # fmt: skip
_HIGHEST_WEIGHT = 1_000.0
_MOST_PIECES = 65_536


class BadContractFile(ValueError):
    """The file is mistaken; the text is one line, with the key and what is allowed there."""


class Action(Enum):
    """What a step does."""

    SEND = "send"
    EXPECT = "expect"
    HALF_CLOSE = "half-close"
    RESET = "reset"
    CLOSE = "close"
    EXPECT_END = "expect-end"
    PRINTS = "prints"
    ENDS = "ends"


_WITH_DATA = (Action.SEND, Action.EXPECT, Action.PRINTS)
_OF_CLIENTS = (Action.PRINTS, Action.ENDS)


@dataclass(frozen=True, slots=True)
class Move:
    """
    One step of an added scenario.

    @ivar data: what is sent, expected or printed.
    @ivar pieces: bytes of each piece that is sent; 0 for one piece.
    """

    action: Action
    data: bytes = b""
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Addition:
    """A scenario that the file adds; see L{labnet.check.scenario.Scenario} for what the fields mean."""

    name: str
    title: str
    topic: Topic
    why: str
    side: Side
    transport: str
    moves: tuple[Move, ...]
    mistake: Mistake | None = None
    weight: float = 1.0
    variants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ContractFile:
    """
    The whole file.

    @ivar title: the exercise's, above every report.
    @ivar points: what a perfect program gets; L{None} for the sum of the weights.
    @ivar only: names of scenarios and topics; empty for all.
    @ivar weights: by the name of a scenario, or of a topic; a scenario's own counts.
    """

    title: str = ""
    points: float | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    additions: tuple[Addition, ...] = ()

    def weight(self, name: str, topic: Topic, weight: float) -> float:
        """What a scenario counts, which without the file counts C{weight}."""
        return self.weights.get(name, self.weights.get(topic.word, weight))


def parse(text: str) -> ContractFile:
    """
    Read a file. Whether its names are those of scenarios is not judged here.

    @raise BadContractFile: it is not TOML, or a key, a type or a value is not allowed.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadContractFile(f"not TOML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise BadContractFile("not TOML: nested too deeply") from None
    _known(tree, _KEYS, "")
    additions = tree.get("scenario", [])
    if not isinstance(additions, list) or not all(isinstance(one, dict) for one in additions):
        raise BadContractFile("scenario: write [[scenario]] above each of them")
    weights = tree.get("weights", {})
    if not isinstance(weights, dict):
        raise BadContractFile("weights: not a table; write [weights] above them")
    return ContractFile(
        _text(tree, "title", "", ""),
        _number(tree["points"], "points") if "points" in tree else None,
        _names(tree, "only", ""),
        _names(tree, "skip", ""),
        {name: _number(value, f"weights.{name}") for name, value in weights.items()},
        tuple(_addition(one, f"scenario[{number}]") for number, one in enumerate(additions, 1)),
    )


def _addition(table: Mapping[str, Any], path: str) -> Addition:
    _known(table, _OF_SCENARIO, f"{path}.")
    for key in ("name", "why", "steps"):
        if key not in table:
            raise BadContractFile(f"{path}: {key} is missing")
    name = _text(table, "name", "", f"{path}.")
    topics = {topic.word: topic for topic in Topic}
    side = Side(_choice(table, "side", [side.value for side in Side], f"{path}."))
    transport = _choice(table, "transport", ["tcp", "udp"], f"{path}.")
    mistake = None
    if "mistake" in table:
        try:
            mistake = mistakeCalled(str(table["mistake"]))
        except KeyError:
            raise BadContractFile(f"{path}.mistake: {table['mistake']!r} is the id of none") from None
    steps = table["steps"]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise BadContractFile(f"{path}.steps: not an array of tables")
    return Addition(
        name,
        _text(table, "title", name, f"{path}."),
        topics[_choice(table, "topic", list(topics), f"{path}.")],
        _text(table, "why", "", f"{path}."),
        side,
        transport,
        tuple(_move(step, side, transport, f"{path}.steps[{at}]") for at, step in enumerate(steps, 1)),
        mistake,
        _number(table.get("weight", 1), f"{path}.weight"),
        frozenset(_names(table, "variants", f"{path}.")),
    )


def _move(step: Mapping[str, Any], side: Side, transport: str, path: str) -> Move:
    names = [name for name in step if name != "pieces"]
    allowed = [
        action.value
        for action in Action
        if (side is Side.CLIENT or action not in _OF_CLIENTS)
        and (transport == "tcp" or action in (Action.SEND, Action.EXPECT, *_OF_CLIENTS))
    ]
    if len(names) != 1 or names[0] not in allowed:
        raise BadContractFile(f"{path}: one of {', '.join(allowed)}")
    action = Action(names[0])
    value = step[action.value]
    pieces = step.get("pieces", 0)
    if isinstance(pieces, bool) or not isinstance(pieces, int) or not 0 <= pieces <= _MOST_PIECES:
        raise BadContractFile(f"{path}.pieces: not a whole number from 0 to {_MOST_PIECES}")
    if pieces and action is not Action.SEND:
        raise BadContractFile(f"{path}.pieces: only what is sent has pieces")
    if action in _WITH_DATA:
        if not isinstance(value, str):
            raise BadContractFile(f"{path}.{action.value}: not a string")
        return Move(action, _data(value, f"{path}.{action.value}"), pieces)
    if value is not True:
        raise BadContractFile(f"{path}.{action.value}: only true")
    return Move(action)


def _data(text: str, path: str) -> bytes:
    """Text in UTF-8, or hexadecimal digits behind C{hex:}."""
    if not text.startswith("hex:"):
        return text.encode("utf-8")
    try:
        return bytes.fromhex(text.removeprefix("hex:"))
    except ValueError:
        raise BadContractFile(f"{path}: not hexadecimal digits, two for each byte") from None


def _known(table: Mapping[str, Any], keys: Iterable[str], path: str) -> None:
    for key in table:
        if key not in keys:
            raise BadContractFile(f"{path}{key}: no such key; there are {', '.join(sorted(keys))}")


def _text(table: Mapping[str, Any], key: str, otherwise: str, path: str) -> str:
    value = table.get(key, otherwise)
    if not isinstance(value, str) or (key in table and not value.strip()):
        raise BadContractFile(f"{path}{key}: not a string with something in it")
    return value


def _choice(table: Mapping[str, Any], key: str, allowed: list[str], path: str) -> str:
    value = table.get(key, allowed[0])
    if value not in allowed:
        raise BadContractFile(f"{path}{key}: {value!r} is none of {', '.join(allowed)}")
    return str(value)


def _names(table: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadContractFile(f"{path}{key}: not an array of strings")
    return tuple(value)


def _number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _HIGHEST_WEIGHT:
        raise BadContractFile(f"{path}: not a number from 0 to {_HIGHEST_WEIGHT:g}")
    return float(value)
