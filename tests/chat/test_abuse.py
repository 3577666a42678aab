"""
What hostile and unlucky peers do to a chat, row by row: spoofed names, injected lines, terminal escapes,
broken framing, ghosts, order, history and logs, races at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.chat.server import ChatLimits
from labnet.chat.wire import FRAMED, LINE, PLAIN, PLAIN_EXTRAS, PROMPT, Dialect
from labnet.testing import SlowTransport, inPieces
from tests.chat.members import Guest, House

DIALECTS = [PLAIN, PLAIN_EXTRAS, LINE, FRAMED]
LIMITS = ChatLimits(rate=0, joins=0)
everyDialect = pytest.mark.parametrize("dialect", [PLAIN, LINE, FRAMED], ids=lambda dialect: dialect.name)


@pytest.fixture
def house(clock: Clock) -> Iterator[House]:
    house = House(clock, LIMITS)
    yield house
    house.close()


def whole(dialect: Dialect, data: bytes) -> bytes:
    """One message with these bytes in it, whatever they are."""
    return len(data).to_bytes(4, "big") + data if dialect is FRAMED else data + b"\n"


# Name spoofing


@pytest.mark.parametrize(
    "name",
    [
        "admin2", "ADMIN2", "Admin2 ", " admin2", "admin2.", "\u0430dmin2", "adm\u200bin2", "admin2\u202e",
        "\uff41\uff44\uff4d\uff49\uff4e2",
        "*server*", "server", "SERVER", "[SERVER]", "", "x" * 10_240,
        "a:b", "a\rb", "ad\u00admin2", "admin2\u3164",
        "\U0001d41a\U0001d41d\U0001d426\U0001d422\U0001d4272",
    ],
)  # fmt: skip
@everyDialect
def test_aSpoofedNameIsRefused(house: House, clock: Clock, dialect: Dialect, name: str) -> None:
    """Refused with a sentence, not changed in silence: nobody hears of it, and another may be tried."""
    house = House(clock, ChatLimits(rate=0, joins=0, longest=20_000))
    admin = house.enter("admin2")
    guest = house.connect(dialect)
    guest.heard()
    guest.send(whole(dialect, name.encode()))
    heard = guest.heard()
    assert b"[SERVER] " in heard
    assert PROMPT.encode() in heard
    assert admin.heard() == b""
    assert len(house.live.room) == 1
    guest.send(whole(dialect, b"somebody else"))
    assert admin.lines() == ["[SERVER] somebody else joined the chat!"]
    house.close()


def test_aNewlineInANameMakesTwoMessagesOfItOrIsRefused(house: House) -> None:
    """A line ends there, so the rest is the first message; a length-prefixed name may not have one."""
    ear = house.enter("ear")
    guest = house.connect(FRAMED)
    guest.send(whole(FRAMED, b"ann\n[ear] I am ear"))
    assert ear.heard() == b""
    guest = house.connect(LINE)
    guest.send(b"ann\n[ear] I am ear\n")
    assert ear.lines() == ["[SERVER] ann joined the chat!", "[ann] [ear] I am ear"]


@pytest.mark.parametrize("name", [b"ANN", b"server", b"a\x1b[2J", b"x" * 33])
def test_anotherNameIsHeldToTheSame(house: House, name: bytes) -> None:
    house.enter("ann")
    bob = house.enter("bob")
    bob.send(b"/nick " + name + b"\n")
    (line,) = bob.lines()
    assert line.startswith("[SERVER] ")
    assert "is now" not in line
    bob.send(b"/who\n")
    assert bob.lines() == ["[SERVER] 2 here: ann, bob"]


# Line injection

SEPARATORS = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\xc2\x85",
    "\u2028".encode(),
    "\u2029".encode(),
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x1e",
]


@pytest.mark.parametrize("separator", SEPARATORS)
@everyDialect
def test_oneMessageIsOneLine(house: House, dialect: Dialect, separator: bytes) -> None:
    """
    At receivers of every kind; where a newline ends a message, the rest is another of the same sender.
    Nothing that somebody writes begins a line.
    """
    receivers = [house.enter(f"ear {at}", each) for at, each in enumerate(DIALECTS)]
    ann = house.enter("ann", dialect)
    for receiver in receivers:
        receiver.heard()
    ann.send(whole(dialect, b"one" + separator + b"[SERVER] forged"))
    split = separator in (b"\n", b"\r\n") and dialect is not FRAMED
    for receiver in receivers:
        texts = receiver.texts()
        assert len(texts) == (2 if split else 1)
        assert all(text.startswith("[ann] ") and len(text.splitlines()) == 1 for text in texts)


# Terminal escapes

ESCAPES = [
    b"\x1b[2J", b"\x1b]0;t\x07", b"\x1b]52;c;aGk=\x07", b"\x9b31m", b"\xc2\x9b31m", b"\x07", b"\x08\x08",
    b"\x7f", b"\xc2\x90q\xc2\x9c", b"\x0e", b"\x00",
]  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
@everyDialect
def test_escapesAreHarmlessEverywhere(
    house: House, clock: Clock, dialect: Dialect, escape: bytes, loggedLines: list[str]
) -> None:
    """In messages, in history, in what is told to the sender, in names, in notices, and in the log."""
    ears = [house.enter(f"ear {at}", each) for at, each in enumerate(DIALECTS)]
    ann = house.enter("ann", dialect)
    for text in (b"a" + escape + b"b", b"/me a" + escape + b"b", b"/" + escape, b"/nick " + escape + b"x"):
        ann.send(whole(dialect, text))
    late = house.connect(LINE)
    late.send(b"late\n")
    nameless = house.connect(dialect)
    nameless.send(whole(dialect, b"x" + escape + b"y"))
    texts = [text for guest in (*ears, ann, late, nameless) for text in guest.texts()]
    for guest in (*ears, ann, late, nameless):
        guest.end()
    assert len(texts) > 10
    for text in texts:
        assert not {c for c in text if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0}
    assert all(line.isprintable() and line.isascii() for line in loggedLines if "chat #" in line)


# Framing


@pytest.mark.parametrize("dialect", [PLAIN, LINE], ids=lambda dialect: dialect.name)
def test_halfALineThenTheEnd(house: House, dialect: Dialect) -> None:
    ear, ann = house.enter("ear"), house.enter("ann", dialect)
    ear.heard()
    ann.send(b"whole\nhalf")
    ann.connection.readConnectionLost()
    assert ear.lines() == ["[ann] whole", "[ann] half", "[SERVER] ann left the chat"]


@everyDialect
def test_aMegabyteWithoutAnEnd(house: House, dialect: Dialect) -> None:
    """It is told why, its output ends, it is not heard any more, and little of it was kept."""
    ear, ann = house.enter("ear"), house.enter("ann", dialect)
    ear.heard()
    stream = (b"\0\x10\0\0" if dialect is FRAMED else b"") + b"x" * (1 << 20)
    for piece in inPieces(stream, 65_536):
        ann.send(piece)
    assert b"A message has at most 4096 bytes." in ann.heard()
    assert ann.transport.halfClosed
    ann.send(b"\nstill here\n")
    assert ear.lines() == ["[SERVER] ann left the chat"]
    ann.connection.readConnectionLost()
    assert ann.gone
    ann.end()
    assert ann.connection.outcome == "a message of more than 4096 bytes"


def test_aMixOfLineEnds(house: House) -> None:
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    ann.send(b"a\r\nb\nc\r\r\n\r\n\nd\r")
    ann.send(b"\n")
    assert ear.lines() == ["[ann] a", "[ann] b", "[ann] c", "[ann] d"]


@everyDialect
def test_aHundredMessagesInOneSegment(house: House, clock: Clock, dialect: Dialect) -> None:
    """Nothing is lost and nothing doubled; also under the limits that a server has by default."""
    house = House(clock)
    ear, ann = house.enter("ear"), house.enter("ann", dialect)
    ear.heard()
    ann.send(b"".join(whole(dialect, b"%d" % number) for number in range(100)))
    assert ear.lines() == [f"[ann] {number}" for number in range(100)]
    house.close()


def test_aNulInALine(house: House) -> None:
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    ann.send(b"a\0b\n\0\n")
    assert ear.lines() == ["[ann] a\u2400b", "[ann] \u2400"]


# Ghosts


def test_aResetFreesTheName(house: House) -> None:
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    ann.connection.connectionLost(Failure(ConnectionLost()))
    assert ear.lines() == ["[SERVER] ann left the chat"]
    house.enter("ann")


def test_theSecondOfTwoIsRefused(house: House) -> None:
    """The first keeps its name and hears nothing of it."""
    ann = house.enter("ann")
    second = house.connect()
    second.heard()
    second.send(b"ann\n")
    assert b"taken" in second.heard()
    assert ann.heard() == b""


# Order


def test_oneOrderForEverybody(house: House, clock: Clock) -> None:
    """
    Two senders and ten receivers, of every kind, whatever comes in one turn and what in the next; the
    senders see one another's in the same order, too.
    """
    kinds = [*DIALECTS, *DIALECTS, LINE, PLAIN]
    receivers = [house.enter(f"ear {at}", each) for at, each in enumerate(kinds)]
    ann, bob = house.enter("ann"), house.enter("bob", FRAMED)
    for guest in house.guests:
        guest.heard()
    random = Random(7)
    said = []
    for number in range(300):
        sender = random.choice((ann, bob))
        sender.connection.dataReceived(whole(sender.connection.dialect, b"%d" % number))
        said.append(f"[{sender.connection.name}] {number}")
        if random.random() < 0.3:
            clock.advance(0)
    for receiver in receivers:
        assert receiver.texts() == said
    assert ann.texts() == [text for text in said if text.startswith("[bob]")]
    assert bob.texts() == [text for text in said if text.startswith("[ann]")]


# History and logs


@pytest.mark.parametrize("text", ["%s%s%n", "{0} {name} {x!r}", "{log_failure}", "$(id)", "`id`"])
def test_formatStringsAreText(house: House, text: str, loggedLines: list[str]) -> None:
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    ann.send(text.encode() + b"\n")
    nameless = house.connect()
    nameless.send(text.encode() + b"\n")
    nameless.end()
    ann.end()
    late = house.connect()
    late.send(b"late\n")
    assert ear.lines()[0] == f"[ann] {text}"
    assert f"[ann] {text}\n" in late.heard().decode()
    assert all("Unable to format" not in line for line in loggedLines)


def test_historyIsBounded(clock: Clock) -> None:
    """In messages, and in bytes; a newcomer does not become a slow reader by it, in whatever way."""
    house = House(clock, LIMITS, history=50)
    ann = house.enter("ann")
    for number in range(500):
        ann.send(b"%04d" % number + b"\n")
    late = house.connect()
    late.heard()
    late.send(b"late\n")
    lines = late.lines()
    assert len(lines) == 52
    assert lines[1].startswith("[ann] 0450")
    for number in range(500):
        # Made visible, each of these bytes is three.
        ann.send(b"%04d" % number + b"\x01" * 4_000 + b"\n")
    for dialect in (LINE, FRAMED, PLAIN_EXTRAS):
        later = Guest(house.factories[dialect], clock, transport=SlowTransport())
        house.guests.append(later)
        later.send(dialect.frame(f"later {dialect.name}"))
        clock.advance(0.02)
        assert not later.gone
        assert b"0499" in later.transport.value()
        assert len(later.transport.value()) < 80_000
    house.close()


# Races at the end


def test_quitWithMoreToSay(house: House) -> None:
    """What was said before is heard by all, what comes after by nobody; both get whole messages."""
    ear, ann, bob = house.enter("ear"), house.enter("ann"), house.enter("bob")
    for guest in house.guests:
        guest.heard()
    bob.connection.dataReceived(b"for ann\n")
    ann.send(b"one\n/quit\ntwo\n")
    assert ann.lines() == ["[bob] for ann"]
    assert ann.gone
    bob.send(b"after\n")
    ann.connection.dataReceived(b"three\n")
    ann.end()
    assert ear.lines() == ["[bob] for ann", "[ann] one", "[SERVER] ann left the chat", "[bob] after"]
    assert ann.heard() == b""


def test_droppedWhileItIsSentTo(house: House, clock: Clock) -> None:
    """Several slow members are dropped in the middle of one round: the round goes on, once for each."""
    slow = [house.enter(f"slow {number}") for number in range(3)]
    ear, ann = house.enter("ear"), house.enter("ann")
    ear.heard()
    for each in slow:
        each.connection.pauseProducing()
    for _ in range(5):
        ann.send((b"x" * 4_000 + b"\n") * 15)
    assert all(each.transport.disconnected for each in slow)
    lines = ear.lines()
    assert len([line for line in lines if line.startswith("[ann]")]) == 75
    assert [line for line in lines if "left" in line] == [
        f"[SERVER] slow {at} left the chat" for at in range(3)
    ]


def test_bothLeaveInOneTurn(house: House, clock: Clock) -> None:
    ear, ann, bob = house.enter("ear"), house.enter("ann"), house.enter("bob")
    ear.heard()
    ann.connection.dataReceived(b"/quit\n")
    bob.connection.dataReceived(b"/quit\n")
    assert ear.lines() == ["[SERVER] ann left the chat", "[SERVER] bob left the chat"]
    ann.end()
    bob.end()
    assert ear.heard() == b""
