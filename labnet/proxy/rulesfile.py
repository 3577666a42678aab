"""
The file of rules: TOML, text in, rules out. See C{docs/proxy-rules.md}.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from labnet.net.hosts import BadHost, HostPatterns
from labnet.proxy.pages import BadPage, Page
from labnet.proxy.rules import Allowance, Conditions, LooksAt, Pattern, Rule

__all__ = ["MEDIA_TYPE", "BadRules", "RulesFile", "parseRules"]

#: How a media type is written in rules and options, in lower case.
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/(?:\*|[a-z0-9!#$&^_.+-]+)")

_LONGEST_MATCH = 65_536
_CONDITIONS = ("hosts", "paths", "types")
_BLOCK = frozenset(
    (*_CONDITIONS, "text", "regex", "ignore_case", "longest", "seconds", "name", "in", "status", "page")
)
_ALLOW = frozenset((*_CONDITIONS, "name"))
_FILE = frozenset(("block", "allow", "allow_only"))


class BadRules(ValueError):
    """The file is mistaken; the text is one line, with the table and the key."""


@dataclass(frozen=True, slots=True)
class RulesFile:
    """
    What a file holds.

    @ivar rules: its C{[[block]]} tables.
    @ivar allowances: its C{[[allow]]} tables.
    @ivar onlyHosts: its C{allow_only}; L{None} if it has none.
    """

    rules: tuple[Rule, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    onlyHosts: HostPatterns | None = None


def parseRules(data: bytes, readPage: Callable[[str], bytes]) -> RulesFile:
    """
    Read a file of rules.

    @param readPage: gives the file that C{page} names.
    @raise BadRules: something in it is wrong.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRules(f"byte {error.start} is not UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadRules(f"not TOML: {' '.join(str(error).split())}") from error
    top = _Table("", document, _FILE)
    return RulesFile(
        tuple(_rule(table, readPage) for table in top.tables("block", _BLOCK)),
        tuple(_allowance(table) for table in top.tables("allow", _ALLOW)),
        top.hosts("allow_only"),
    )


class _Table:
    """
    One table of the file, whose keys are taken one by one.

    @param where: how messages name it.
    @param known: the keys that it may have.
    """

    def __init__(self, where: str, values: Mapping[str, Any], known: frozenset[str]) -> None:
        self.where = where
        self._values = values
        for key in values:
            if key not in known:
                self.wrong(key, f"there is no such key; there are {', '.join(sorted(known))}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, problem: str) -> NoReturn:
        """Say what is wrong."""
        raise BadRules(": ".join(part for part in (self.where, key, problem) if part))

    def tables(self, key: str, known: frozenset[str]) -> list[_Table]:
        """The tables of an array of them."""
        values = self._values.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self.wrong(key, f"write [[{key}]], a table for each")
        named = [(f"[[{key}]] {number}", value) for number, value in enumerate(values, 1)]
        return [
            _Table(
                f"{where} ({value['name']})" if isinstance(value.get("name"), str) else where, value, known
            )
            for where, value in named
        ]

    def text(self, key: str, default: str = "") -> str:
        """A string that is not empty."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or (not value and key in self):
            self.wrong(key, "give a string that is not empty")
        return str(value)

    def flag(self, key: str) -> bool:
        """A truth value."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, "give true or false")
        return bool(value)

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number."""
        value = self._values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.wrong(key, f"give a number from {least} to {most}")
        return int(value)

    def seconds(self, key: str, default: float, least: float, most: float) -> float:
        """A number of seconds, whole or not."""
        value = self._values.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            self.wrong(key, f"give a number from {least:g} to {most:g}")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A string, or an array of strings; none if there is no such key."""
        value = self._values.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(text, str) and text for text in values):
            self.wrong(key, "give a string, or an array of strings")
        if key in self and not values:
            self.wrong(key, "the array is empty")
        return tuple(values)

    def hosts(self, key: str) -> HostPatterns | None:
        """Hosts; L{None} if there is no such key."""
        try:
            return HostPatterns.read(self.texts(key)) if key in self else None
        except BadHost as error:
            self.wrong(key, str(error))

    def conditions(self) -> Conditions:
        """The conditions of a rule or an allowance."""
        paths, types = self.texts("paths"), self.texts("types")
        for path in paths:
            if not path.startswith(("/", "*")):
                self.wrong("paths", f"{path!r} does not begin with / or *")
        for mediaType in types:
            if MEDIA_TYPE.fullmatch(mediaType.lower()) is None:
                self.wrong("types", f"{mediaType!r} is not of the form TYPE/SUBTYPE or TYPE/*")
        return Conditions(self.hosts("hosts"), paths, frozenset(map(str.lower, types)))


def _rule(table: _Table, readPage: Callable[[str], bytes]) -> Rule:
    if ("text" in table) == ("regex" in table):
        table.wrong("", "give text or regex, one of them")
    key = "text" if "text" in table else "regex"
    pattern = table.text(key)
    folds = table.flag("ignore_case")
    if key == "regex":
        kind = Pattern.FOLDED_EXPRESSION if folds else Pattern.EXPRESSION
    else:
        kind = Pattern.FOLDED if folds else Pattern.TEXT
        for ofRegex in ("longest", "seconds"):
            if ofRegex in table:
                table.wrong(ofRegex, "it goes with regex")
    looksAt = table.text("in", LooksAt.RESPONSE.value)
    if looksAt not in {place.value for place in LooksAt}:
        table.wrong("in", f"{looksAt!r} is none of {', '.join(place.value for place in LooksAt)}")
    where, status = table.conditions(), table.number("status", 404, 400, 599)
    longest = table.number("longest", 4_096, 1, _LONGEST_MATCH)
    seconds = table.seconds("seconds", 0.25, 0.001, 60.0)
    name, page = table.text("name"), _page(table, readPage)
    try:
        encoded = pattern.encode("utf-8")
        return Rule(encoded, kind, longest, name, LooksAt(looksAt), where, status, page, seconds)
    except ValueError as error:
        table.wrong(key, str(error))


def _page(table: _Table, readPage: Callable[[str], bytes]) -> Page | None:
    name = table.text("page")
    if not name:
        return None
    try:
        return Page(readPage(name))
    except OSError as error:
        table.wrong("page", f"{name}: {error.strerror}")
    except BadPage as error:
        table.wrong("page", f"{name}: {error}")


def _allowance(table: _Table) -> Allowance:
    if not any(key in table for key in _CONDITIONS):
        table.wrong("", f"give {', '.join(_CONDITIONS)}, one of them at least")
    return Allowance(table.text("name", table.where), table.conditions())
