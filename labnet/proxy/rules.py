"""
The rules: what is blocked, where it is looked for, and what is not looked at.

Conditions err on the safe side. What can be read in several ways, as a path with escapes in it, meets the
condition of a rule if it does so in any of them, and that of an allowance only if it does so in all of
them; a response that does not say of what type it is may be of any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from labnet.net.hosts import BadHost, HostPatterns, plainHost
from labnet.proxy.charsets import spellings
from labnet.proxy.expressions import Expression, foldedText, regularExpression
from labnet.proxy.pages import Page
from labnet.proxy.wire import Fields

__all__ = [
    "Allowance",
    "Choice",
    "Conditions",
    "LooksAt",
    "Pattern",
    "Rule",
    "RuleSet",
    "matchesType",
    "mediaType",
]

_MEDIA_TYPE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_AUTHORITY = re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_SLASHES = re.compile(r"/+")

#: For how many paths of up to so many bytes it is remembered which rules apply.
_REMEMBERED = 1_024
_LONGEST_REMEMBERED = 256


class LooksAt(Enum):
    """At which messages a rule looks."""

    RESPONSE = "response"
    REQUEST = "request"
    BOTH = "both"


class Pattern(Enum):
    """
    What the bytes of a rule are.

    C{TEXT}: the text in UTF-8, or bytes that stand for themselves. C{FOLDED}: a text, in whatever case.
    C{EXPRESSION}: a regular expression. C{FOLDED_EXPRESSION}: one in which case makes no difference.
    """

    TEXT = "text"
    FOLDED = "folded text"
    EXPRESSION = "regular expression"
    FOLDED_EXPRESSION = "folded regular expression"


@dataclass(frozen=True, slots=True)
class Conditions:
    """
    Where a rule or an allowance is in force; what is empty is no condition.

    @ivar hosts: the request's origin is one of these.
    @ivar paths: its path begins with one of these, or, with C{*} in it, is as one of these.
    @ivar types: the message's media type, as C{type/subtype} or C{type/*}, in lower case.
    """

    hosts: HostPatterns | None = None
    paths: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()

    @property
    def ofRequest(self) -> bool:
        """Whether they depend on the request."""
        return self.hosts is not None or bool(self.paths)

    def coverHost(self, host: str) -> bool:
        """Whether the origin is among the hosts."""
        return self.hosts is None or self.hosts.cover(host)

    def coverPath(self, path: str) -> bool:
        """Whether the path, read in one way, is among the paths."""
        return not self.paths or any(_isAt(path, pattern) for pattern in self.paths)


def _isAt(path: str, pattern: str) -> bool:
    if "*" not in pattern:
        return path.startswith(pattern)
    # Step by step: a regular expression would try all combinations of places, and the path is the client's.
    first, *middle, last = pattern.split("*")
    at, end = len(first), len(path) - len(last)
    if at > end or not path.startswith(first) or not path.endswith(last):
        return False
    for part in middle:
        found = path.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is blocked, and what is answered instead.

    @ivar pattern: what is looked for, at least one byte.
    @ivar kind: what that is.
    @ivar longest: how many bytes a match of an expression may have to be found for certain.
    @ivar name: what it is called; L{str} of the rule, which is the pattern where there is no name.
    @ivar looksAt: at which messages.
    @ivar where: where it is in force.
    @ivar status: of the answer.
    @ivar page: the answer's; L{None} for that which all have in common.
    @ivar seconds: of processor time that looking for an expression may take in one message, and once more
        for each MiB of it.
    @ivar isText: whether it is known how long a match can be, and where one may have begun.
    @ivar width: the most bytes that the text has in any charset.
    @ivar plain: the byte strings that are looked for, and in which charset each is the text; the pattern
        comes first.
    @ivar wide: the same, and what has zero bytes in it, which most content has not.
    @ivar expressions: what is looked for where byte strings do not do.
    @raise ValueError: there is nothing to look for, or it is no good expression.
    """

    pattern: bytes
    kind: Pattern = Pattern.TEXT
    longest: int = 4_096
    name: str = ""
    looksAt: LooksAt = LooksAt.RESPONSE
    where: Conditions = field(default_factory=Conditions)
    status: int = 404
    page: Page | None = None
    seconds: float = 0.25
    isText: bool = field(init=False, repr=False, compare=False)
    width: int = field(init=False, repr=False, compare=False)
    plain: tuple[tuple[bytes, str], ...] = field(init=False, repr=False, compare=False)
    wide: tuple[tuple[bytes, str], ...] = field(init=False, repr=False, compare=False)
    expressions: tuple[Expression, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.pattern:
            raise ValueError("a blocked string must not be empty")
        wide: tuple[tuple[bytes, str], ...] = ()
        expressions: tuple[Expression, ...] = ()
        if self.kind is Pattern.TEXT:
            wide = spellings(self.pattern)
        elif self.kind is Pattern.FOLDED:
            expressions = foldedText(self.pattern.decode("utf-8"))
        else:
            folds = self.kind is Pattern.FOLDED_EXPRESSION
            expressions = regularExpression(self.pattern.decode("utf-8"), folds)
        object.__setattr__(self, "isText", self.kind in (Pattern.TEXT, Pattern.FOLDED))
        widths = [len(spelling) for spelling, _ in wide] + [found.width for found in expressions]
        object.__setattr__(self, "width", max(widths))
        object.__setattr__(self, "wide", wide)
        object.__setattr__(self, "plain", tuple(spelling for spelling in wide if 0 not in spelling[0]))
        object.__setattr__(self, "expressions", expressions)

    def __str__(self) -> str:
        return self.name or self.pattern.decode("utf-8", "backslashreplace")

    def unfinished(self, data: bytes) -> int:
        """How many bytes at the end of C{data} are the beginning of the text, which may still come."""
        longest = max((found.unfinished(data) for found in self.expressions), default=0)
        for spelling, _ in self.wide:
            at = data.find(spelling[:1], max(0, len(data) - len(spelling) + 1))
            while at >= 0 and len(data) - at > longest:
                if spelling.startswith(data[at:]):
                    longest = len(data) - at
                else:
                    at = data.find(spelling[:1], at + 1)
        return longest


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What is not looked at.

    @ivar name: what it is called in the log.
    """

    name: str
    where: Conditions


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """
    The rules for one request, or, once it is there, for its response. Requests to which the same apply have
    the same object, as a rule.

    @ivar request: those that look at the request.
    @ivar response: those that look at the response.
    @ivar allowed: by what it is not looked at; empty if it is.
    @ivar allowances: those that depend on the response's media type.
    @ivar byType: whether anything depends on a media type.
    """

    request: tuple[Rule, ...] = ()
    response: tuple[Rule, ...] = ()
    allowed: str = ""
    allowances: tuple[Allowance, ...] = ()
    byType: bool = False

    def forResponse(self, fields: Fields) -> Choice:
        """The same once the response's fields are there."""
        if not self.byType:
            return self
        found = mediaType(fields)
        for allowance in self.allowances:
            if found is not None and matchesType(found, allowance.where.types):
                return Choice(allowed=allowance.name)
        return replace(self, response=_ofType(self.response, found), allowances=(), byType=False)

    def forBody(self, fields: Fields) -> tuple[Rule, ...]:
        """The rules for a request whose fields say of what type its body is."""
        return _ofType(self.request, mediaType(fields)) if self.byType else self.request


class RuleSet:
    """
    Chooses from all rules those that apply.

    @param rules: all of them, in order of precedence.
    @param allowances: what is not looked at, in order of precedence.
    @param inspectRequest: whether rules for responses look at requests, too.
    """

    def __init__(
        self, rules: Sequence[Rule], allowances: Sequence[Allowance] = (), inspectRequest: bool = False
    ) -> None:
        self._rules = tuple(rules)
        self._allowances = tuple(allowances)
        self._inspectRequest = inspectRequest
        conditions = [rule.where for rule in self._rules] + [entry.where for entry in self._allowances]
        conditional = any(where.ofRequest for where in conditions)
        self._always = None if conditional else self._choice(self._rules, self._allowances)
        self._known: dict[tuple[int, ...], Choice] = {}
        self._remembered = lru_cache(_REMEMBERED)(self._choose)

    def choose(self, host: str, target: bytes) -> Choice:
        """
        The rules for a request.

        @param host: of its origin.
        @param target: of the request, in origin-form or absolute-form.
        """
        if self._always is not None:
            return self._always
        path = target.partition(b"?")[0]
        return (self._remembered if len(path) <= _LONGEST_REMEMBERED else self._choose)(host, path)

    def _choose(self, host: str, target: bytes) -> Choice:
        try:
            host = plainHost(host)
        except BadHost:
            # There is no such host to reach.
            host = ""
        paths = _readings(target)
        allowances = tuple(
            entry
            for entry in self._allowances
            if entry.where.coverHost(host) and all(map(entry.where.coverPath, paths))
        )
        rules = tuple(
            rule
            for rule in self._rules
            if rule.where.coverHost(host) and any(map(rule.where.coverPath, paths))
        )
        key = (*map(id, rules), 0, *map(id, allowances))
        choice = self._known.get(key)
        if choice is None:
            choice = self._choice(rules, allowances)
            if len(self._known) < _REMEMBERED:
                self._known[key] = choice
        return choice

    def _choice(self, rules: tuple[Rule, ...], allowances: tuple[Allowance, ...]) -> Choice:
        for entry in allowances:
            if not entry.where.types:
                return Choice(allowed=entry.name)
        inRequest = (LooksAt.REQUEST, LooksAt.BOTH) if not self._inspectRequest else tuple(LooksAt)
        return Choice(
            tuple(rule for rule in rules if rule.looksAt in inRequest),
            tuple(rule for rule in rules if rule.looksAt is not LooksAt.REQUEST),
            allowances=allowances,
            byType=bool(allowances) or any(rule.where.types for rule in rules),
        )


def mediaType(fields: Fields) -> str | None:
    """
    The media type that a message says it has, in lower case; L{None} where it says none, or does so in a
    way that not everybody reads the same.
    """
    values = fields.values(b"content-type")
    if len(values) != 1:
        return None
    essence = values[0].partition(b";")[0].strip()
    if _MEDIA_TYPE.fullmatch(essence) is None:
        # As "video/mp4, text/html", which a browser takes for the last of them.
        return None
    return essence.lower().decode("ascii")


def matchesType(found: str, types: frozenset[str]) -> bool:
    """Whether a media type is among C{types}, which are C{type/subtype} or C{type/*}."""
    return found in types or found.partition("/")[0] + "/*" in types


def _ofType(rules: tuple[Rule, ...], found: str | None) -> tuple[Rule, ...]:
    if found is None:
        return rules
    return tuple(rule for rule in rules if not rule.where.types or matchesType(found, rule.where.types))


def _readings(target: bytes) -> tuple[str, ...]:
    """The ways in which an origin may read the path of a request-target."""
    path = _AUTHORITY.sub(b"", target, count=1).partition(b"?")[0] or b"/"
    sent, plain = path.decode("latin-1"), unquote_to_bytes(path).decode("utf-8", "replace")
    return tuple(dict.fromkeys((sent, _withoutDots(sent), _withoutDots(plain.replace("\\", "/")))))


def _withoutDots(path: str) -> str:
    """Without C{.} and C{..} (RFC 3986, 5.2.4), and with one slash where there are several."""
    kept: list[str] = []
    segments = _SLASHES.sub("/", path).split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
