"""
The room: who is in it, under which name, what was said, and who gets what. Nothing is sent here.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

from labnet.chat.wire import Did, Event, Joined, Left, Renamed, Said, Told, weightOf

__all__ = ["LONGEST_NAME", "Delivery", "Heard", "Pace", "Refused", "Room", "checkName", "nameKey"]

#: Characters in a name.
LONGEST_NAME = 32

# Names that would be taken for the house's own.
_RESERVED = frozenset((
    "admin", "administrator", "all", "chat", "everybody", "everyone", "help", "here", "history", "host",
    "labnet", "me", "moderator", "nobody", "null", "operator", "owner", "root", "server", "staff", "sysop",
    "system", "you",
))  # fmt: skip
_PUNCTUATION = frozenset(" -_.'")
# Letters and marks of the standard that show nothing.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_MOST_MARKS = 2
# Scripts whose letters look alike.
_ALIKE = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC")
# Small letters of Greek and Cyrillic, and the Latin ones they look like.
_LOOKS_LIKE = str.maketrans(
    "\u0430\u0432\u0435\u0433\u0455\u0456\u0457\u0458\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443"
    "\u0445\u0501\u051b\u051d\u04bb\u044c"
    "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b7\u03b3\u0131",
    "abersiijkmhopctyxdqwhbabeikvoptuxnyi",
)

_HELP = "/who lists who is here, /nick NAME changes your name, /me does something, /quit leaves"


class Refused(Exception):
    """Somebody can not come in, or not under that name; the text is a sentence for them."""


def checkName(raw: bytes | str) -> str:
    """
    The name somebody asks for, without the blanks around it; nothing else of it is changed.

    @raise Refused: it is not fit to be one.
    """
    try:
        name = (raw.decode() if isinstance(raw, bytes) else raw).strip()
    except UnicodeDecodeError:
        raise Refused("A name is UTF-8 text.") from None
    if not name:
        raise Refused("A name has at least one letter or digit.")
    folded = unicodedata.normalize("NFKC", name)
    if max(len(name), len(folded)) > LONGEST_NAME:
        raise Refused(f"A name has at most {LONGEST_NAME} characters.")
    if not all(_allowed(character) for character in name + folded):
        raise Refused("A name has letters and digits, and between them blanks and - _ . ' only.")
    if not (_solid(name[0]) and (_solid(name[-1]) or _isMark(name[-1]))):
        raise Refused("A name begins and ends with a letter or a digit.")
    if "  " in folded or any(
        marks and len(list(run)) > _MOST_MARKS for marks, run in groupby(folded, key=_isMark)
    ):
        raise Refused("A name has one blank, and two accents, at most in a row.")
    if len({script for script in map(_script, folded) if script}) > 1:
        raise Refused("A name has letters of one alphabet.")
    if nameKey(name) in _RESERVED:
        raise Refused("That name is reserved.")
    return name


def nameKey(name: str) -> str:
    """
    What two names have in common that people would take for one another: equal after compatibility
    normalisation and case folding (Unicode's NFKC_Casefold), and the same to the eye in Latin, Greek and
    Cyrillic letters.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return folded.translate(_LOOKS_LIKE)


def _allowed(character: str) -> bool:
    if character in _INVISIBLE:
        return False
    return character in _PUNCTUATION or unicodedata.category(character)[0] in "LMN"


def _solid(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _isMark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _script(character: str) -> str:
    word = unicodedata.name(character, "").partition(" ")[0]
    return word if word in _ALIKE else ""


class Pace:
    """
    How fast one member may speak: so many messages a second, and so many at once after a silence.

    @param rate: messages a second; 0 for no limit.
    @param burst: messages at once.
    """

    __slots__ = ("_burst", "_due", "_interval")

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._burst = (burst - 1) * self._interval
        self._due = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next message may be heard; if 0 it is counted."""
        due = max(self._due, now)
        early = due - now - self._burst
        # Less than a microsecond is a rounding error, and no reason for a timer.
        if early > 1e-6:
            return early
        self._due = due + self._interval
        return 0.0


_Member = TypeVar("_Member")


@dataclass(frozen=True, slots=True)
class Delivery(Generic[_Member]):
    """
    An event and who gets it: one member, everyone but one, or everyone.

    @ivar only: this one, if not L{None}.
    @ivar but: not this one.
    """

    event: Event
    only: _Member | None = None
    but: _Member | None = None


@dataclass(frozen=True, slots=True)
class Heard(Generic[_Member]):
    """
    What came of something a member said.

    @ivar deliveries: what is to be told, in order.
    @ivar quits: whether the member wants to leave.
    """

    deliveries: tuple[Delivery[_Member], ...] = ()
    quits: bool = False


@dataclass(slots=True)
class _Person:
    name: str
    extras: bool
    echo: bool


class Room(Generic[_Member]):
    """
    Members under unique names, and the last things that were said.

    @param mostMembers: so many at a time.
    @param history: so many messages are kept for those who come later,
    @param historyBytes: and no more than so many bytes of them: whoever comes is sent all at once.
    """

    def __init__(self, *, mostMembers: int = 10_000, history: int = 50, historyBytes: int = 65_536) -> None:
        self._mostMembers = mostMembers
        self._longestHistory = history
        self._mostHistoryBytes = historyBytes
        self._historyBytes = 0
        self._people: dict[_Member, _Person] = {}
        self._keys: dict[str, _Member] = {}
        self._history: deque[Said | Did] = deque()

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[_Member]:
        """The members, in the order in which they came."""
        return iter(self._people)

    def __contains__(self, member: object) -> bool:
        return member in self._people

    def nameOf(self, member: _Member) -> str:
        """
        @raise KeyError: it is no member.
        """
        return self._people[member].name

    def join(
        self, member: _Member, name: bytes | str, *, extras: bool = True, echo: bool = False
    ) -> tuple[Delivery[_Member], ...]:
        """
        Somebody comes in.

        @param extras: whether this one has history and commands.
        @param echo: whether this one gets its own messages, too.
        @raise Refused: not under that name, or not now.
        """
        if len(self._people) >= self._mostMembers:
            raise Refused("The room is full.")
        checked = checkName(name)
        self._claim(member, checked)
        self._people[member] = _Person(checked, extras, echo)
        told: list[Event] = []
        if extras and self._history:
            plural = "message" if len(self._history) == 1 else "messages"
            told = [Told(f"{len(self._history)} earlier {plural}:"), *self._history]
        return (*(Delivery(event, only=member) for event in told), Delivery(Joined(checked)))

    def leave(self, member: _Member) -> tuple[Delivery[_Member], ...]:
        """Somebody goes; nothing happens if it was not here."""
        person = self._people.pop(member, None)
        if person is None:
            return ()
        del self._keys[nameKey(person.name)]
        return (Delivery(Left(person.name)),)

    def hear(self, member: _Member, text: str) -> Heard[_Member]:
        """
        A member says something: a message, or a command. Two slashes begin a message with one.

        @param text: harmless already (L{labnet.chat.wire.clean}).
        """
        person = self._people[member]
        command, _, rest = text.partition(" ")
        if command == "/quit":
            return Heard(quits=True)
        if not text.strip():
            return Heard()
        if not person.extras or not text.startswith("/"):
            return self._said(member, Said(person.name, text))
        if text.startswith("//"):
            return self._said(member, Said(person.name, text[1:]))
        rest = rest.strip()
        match command:
            case "/who":
                return Heard((Delivery(Told(self._who()), only=member),))
            case "/me" if rest:
                return self._said(member, Did(person.name, rest))
            case "/nick" if rest:
                return self._rename(member, person, rest)
            case "/me" | "/nick" | "/help":
                return Heard((Delivery(Told(_HELP), only=member),))
        return Heard((Delivery(Told(f"There is no {command[:20]}; {_HELP}"), only=member),))

    def _said(self, member: _Member, event: Said | Did) -> Heard[_Member]:
        self._remember(event)
        return Heard((Delivery(event, but=None if self._people[member].echo else member),))

    def _remember(self, event: Said | Did) -> None:
        self._history.append(event)
        self._historyBytes += weightOf(event)
        while len(self._history) > self._longestHistory or self._historyBytes > self._mostHistoryBytes:
            self._historyBytes -= weightOf(self._history.popleft())

    def _rename(self, member: _Member, person: _Person, name: str) -> Heard[_Member]:
        old = person.name
        try:
            checked = checkName(name)
            self._claim(member, checked)
        except Refused as refusal:
            return Heard((Delivery(Told(str(refusal)), only=member),))
        if nameKey(old) != nameKey(checked):
            del self._keys[nameKey(old)]
        person.name = checked
        return Heard((Delivery(Renamed(old, checked)),) if old != checked else ())

    def _claim(self, member: _Member, name: str) -> None:
        if self._keys.setdefault(nameKey(name), member) is not member:
            raise Refused("That name is taken, or looks like one that is.")

    def _who(self, most: int = 100) -> str:
        names = [person.name for _, person in zip(range(most), self._people.values(), strict=False)]
        return f"{len(self._people)} here: {_listed(names, len(self._people))}"


def _listed(names: Iterable[str], total: int) -> str:
    shown = list(names)
    more = total - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")
