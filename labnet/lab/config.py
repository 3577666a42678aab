"""
The lab's TOML file, without input or output: text in, what it asks for out.

A file holds tables named after the services of the catalogue, C{[calculator]} for one of a kind or
C{[[calculator]]} for several. The name of the service is the name of the table, so a table can neither
forget it nor disagree with it, and a file reads like the command lines it stands for: C{profile = "net"}
is C{--profile net}. See C{docs/lab.md}.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

__all__ = ["Arity", "ConfigError", "Document", "Grammar", "Section", "Setting", "argv", "parse", "pathOf"]


class ConfigError(ValueError):
    """The file is mistaken; the text is one line, with the key and what is allowed there."""


class Arity(Enum):
    """What an option takes, and so what its key may hold."""

    FLAG = "true or false"
    VALUE = "a string or a number"
    REPEATED = "a string, or an array of strings"


#: The options of one service by name.
Grammar = Mapping[str, Arity]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as on a command line: C{--option=value}, or C{--option} when the value is L{None}."""

    option: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """
    One table: one service.

    @ivar service: the name in the catalogue.
    @ivar number: 1 for the first of its kind, or 0 when the file has only that one.
    @ivar settings: its options, in the order of the file.
    """

    service: str
    number: int = 0
    settings: tuple[Setting, ...] = ()

    @property
    def path(self) -> str:
        """How messages name it: C{calculator}, or C{calculator[2]}."""
        return pathOf(self.service, self.number)

    def values(self, option: str) -> list[str]:
        """What the section says for an option, in order; empty when it does not mention it."""
        return [setting.value or "" for setting in self.settings if setting.option == option]


@dataclass(frozen=True, slots=True)
class Document:
    """
    The whole file.

    @ivar sections: one for each table, by service in the order of the grammars, then as in the file.
    @ivar jsonLogs: whether the lab's log is JSON; C{json-logs = true} above the tables.
    """

    sections: tuple[Section, ...]
    jsonLogs: bool = False


def pathOf(service: str, number: int) -> str:
    """The name of a section in messages."""
    return f"{service}[{number}]" if number else service


def argv(settings: tuple[Setting, ...]) -> list[str]:
    """The settings as a command line."""
    return [
        f"--{setting.option}" + ("" if setting.value is None else f"={setting.value}")
        for setting in settings
    ]


def parse(text: str, grammars: Mapping[str, Grammar], common: Grammar = MappingProxyType({})) -> Document:
    """
    Read a file.

    @param text: all of it.
    @param grammars: the options of each service that a table may name; their order is the order of
        the result.
    @param common: those of them that may stand above the tables, too, and then hold for every table that
        says nothing of its own.
    @raise ConfigError: it is not TOML, names no service, or a key or its type is not allowed. The
        values of options are not judged here: that is the service's own business.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {_oneLine(error)}") from error
    except RecursionError:
        raise ConfigError("not TOML: nested too deeply") from None
    jsonLogs = tree.pop("json-logs", False)
    if not isinstance(jsonLogs, bool):
        raise ConfigError(f"json-logs: {_shown(jsonLogs)} is not {Arity.FLAG.value}")
    everywhere = {
        key: tuple(_read(key, key, tree.pop(key), arity)) for key, arity in common.items() if key in tree
    }
    for name in tree:
        if name not in grammars:
            allowed = ", ".join((*grammars, *common))
            raise ConfigError(f"{name}: no such service; allowed are {allowed}, and json-logs")
    sections = [
        section
        for name, grammar in grammars.items()
        for section in _sections(name, tree.get(name, []), grammar, everywhere)
    ]
    if not sections:
        raise ConfigError(f"names no service; allowed are {', '.join(grammars)}")
    return Document(tuple(sections), jsonLogs)


#: What stands above the tables, by key.
_Everywhere = Mapping[str, tuple[Setting, ...]]


def _sections(name: str, tables: object, grammar: Grammar, everywhere: _Everywhere) -> list[Section]:
    if isinstance(tables, dict):
        return [Section(name, 0, _settings(name, tables, grammar, everywhere))]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{name}: {_shown(tables)} is not a table; write [{name}] or [[{name}]]")
    numbered = [(at if len(tables) > 1 else 0, table) for at, table in enumerate(tables, start=1)]
    return [
        Section(name, number, _settings(pathOf(name, number), table, grammar, everywhere))
        for number, table in numbered
    ]


def _settings(
    path: str, table: Mapping[str, object], grammar: Grammar, everywhere: _Everywhere
) -> tuple[Setting, ...]:
    settings: list[Setting] = []
    for key, value in table.items():
        if key == "json-logs":
            raise ConfigError(f"{path}.json-logs: the lab has one log; it goes above the tables")
        if key not in grammar:
            raise ConfigError(f"{path}.{key}: no such option; allowed are {', '.join(sorted(grammar))}")
        settings += _read(f"{path}.{key}", key, value, grammar[key])
    for key, common in everywhere.items():
        if key not in table:
            settings += common
    return tuple(settings)


def _read(path: str, option: str, value: object, arity: Arity) -> list[Setting]:
    match arity, value:
        case Arity.FLAG, bool():
            return [Setting(option)] if value else []
        case Arity.REPEATED, list() if all(isinstance(item, str) for item in value):
            return [Setting(option, item) for item in value]
        case Arity.REPEATED, str():
            return [Setting(option, value)]
        case Arity.VALUE, str() | int() | float() if not isinstance(value, bool):
            return [Setting(option, str(value))]
    raise ConfigError(f"{path}: {_shown(value)} is not {arity.value}")


def _shown(value: object) -> str:
    """A value as the file has it, roughly."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _oneLine(error: Exception) -> str:
    return " ".join(str(error).split())
