"""
The chat's server on transports in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from labnet.chat.server import ChatLimits
from labnet.chat.wire import FRAMED, LINE, PLAIN, PLAIN_EXTRAS, PROMPT, Dialect
from labnet.net.limits import Limits
from labnet.testing import LoggedFailures, inPieces
from tests.chat.members import House

DIALECTS = [PLAIN, LINE, FRAMED]
everyDialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture
def house(clock: Clock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.close()


def test_theCoursesClientGetsTheCoursesTexts(house: House, clock: Clock) -> None:
    """To the byte, each in a write of its own, and nothing else: no history, no answers to commands."""
    early = house.enter("early")
    early.send(b"something before\n")
    ann = house.connect(PLAIN)
    assert ann.transport.pieces == [b"Enter your username: "]
    ann.heard()
    ann.connection.dataReceived(b"ann")
    clock.advance(0.02)
    clock.advance(0)
    assert ann.heard() == b"[SERVER] ann joined the chat!"
    bob = house.enter("bob", PLAIN)
    ann.connection.dataReceived(b"hi")
    clock.advance(0.02)
    clock.advance(0)
    ann.connection.dataReceived(b"/who")
    clock.advance(0.02)
    clock.advance(0)
    assert bob.transport.pieces == [b"[ann] hi", b"[ann] /who"]
    assert ann.heard() == b""
    bob.heard()
    early.send(b"/me waves\n/nick late\n")
    assert bob.transport.pieces == [
        b"[early] * waves",
        b"[SERVER] early left the chat[SERVER] late joined the chat!",
    ]
    bob.heard()
    ann.connection.dataReceived(b"/quit")
    clock.advance(0.02)
    assert ann.gone
    ann.end()
    assert bob.heard() == b"[SERVER] ann left the chat"


def test_plainExtras(house: House, clock: Clock) -> None:
    """An option gives plain members what the others have; still without a newline."""
    house.enter("early").send(b"before\n")
    ann = house.connect(PLAIN_EXTRAS)
    ann.heard()
    ann.send(b"ann\n")
    assert ann.texts() == ["[SERVER] 1 earlier message:", "[early] before", "[SERVER] ann joined the chat!"]
    ann.send(b"/who\n")
    assert ann.heard() == b"[SERVER] 2 here: early, ann"


@everyDialect
def test_oneRoom(house: House, dialect: Dialect) -> None:
    """Whoever comes by whichever way is heard by everybody, in their framing."""
    everybody = {each: house.enter(each.name, each) for each in DIALECTS}
    speaker = everybody[dialect]
    speaker.send(dialect.frame("h\u00e9llo") + (b"\n" if dialect is PLAIN else b""))
    for each, guest in everybody.items():
        expected = b"" if guest is speaker else each.frame(f"[{dialect.name}] h\u00e9llo")
        assert guest.heard() == expected


@everyDialect
def test_byteByByte(house: House, clock: Clock, dialect: Dialect) -> None:
    """And everything in one segment: the same is heard."""
    ear = house.enter("ear")
    heard = []
    for size in (1, 1000):
        guest = house.connect(dialect)
        end = b"\n" if dialect is PLAIN else b""
        messages = [dialect.frame(text) + end for text in ("ann", "one", "two")]
        stream = b"".join(messages)
        for piece in inPieces(stream, size):
            guest.send(piece)
        heard.append(ear.lines())
        guest.end()
        ear.heard()
    assert heard[0] == heard[1] == ["[SERVER] ann joined the chat!", "[ann] one", "[ann] two"]


def test_silenceEndsAPlainMessage(house: House, clock: Clock) -> None:
    """Not before 20 ms after the last piece, and each piece begins them anew."""
    ear = house.enter("ear")
    ann = house.enter("ann", PLAIN)
    ear.heard()
    for piece in (b"he", b"ll", b"o"):
        ann.connection.dataReceived(piece)
        clock.advance(0.019)
    assert ear.heard() == b""
    clock.advance(0.001)
    assert ear.lines() == ["[ann] hello"]


def test_newcomersSeeWhatWasSaid(house: House) -> None:
    house.enter("ann").send(b"one\n/me two\n")
    bob = house.connect()
    bob.heard()
    bob.send(b"bob\n")
    assert bob.lines() == [
        "[SERVER] 2 earlier messages:", "[ann] one", "* ann two", "[SERVER] bob joined the chat!",
    ]  # fmt: skip


def test_aNewcomerInTheMiddleOfATurn(house: House, clock: Clock) -> None:
    """What was said before it came is history, once; what is said after is a message, once; in order."""
    ann = house.enter("ann")
    bob = house.connect()
    bob.heard()
    ann.connection.dataReceived(b"before\n")
    bob.connection.dataReceived(b"bob\n")
    ann.connection.dataReceived(b"after\n/who\nlast\n")
    clock.advance(0)
    assert bob.lines() == [
        "[SERVER] 1 earlier message:", "[ann] before", "[SERVER] bob joined the chat!", "[ann] after",
        "[ann] last",
    ]  # fmt: skip
    assert ann.lines() == ["[SERVER] bob joined the chat!", "[SERVER] 2 here: ann, bob"]


def test_theSameBytesForEverybody(house: House) -> None:
    """What one turn brings is encoded once for each dialect, and given to all in one write."""
    speaker = house.enter("speaker")
    for dialect in (LINE, FRAMED):
        one, two = house.enter(f"{dialect.name} one", dialect), house.enter(f"{dialect.name} two", dialect)
        speaker.send(b"a\nb\nc\n")
        (first,), (second,) = one.transport.pieces, two.transport.pieces
        assert first is second
        assert first == b"".join(dialect.frame(f"[speaker] {letter}") for letter in "abc")


def test_aRefusedName(house: House) -> None:
    """With a sentence and the question again; five times."""
    house.enter("ann")
    guest = house.connect()
    guest.heard()
    guest.send(b"ANN\n")
    assert guest.lines() == [f"[SERVER] That name is taken, or looks like one that is. {PROMPT}"]
    for name in (b"\n", b"a:b\n", b"server\n"):
        guest.send(name)
        (line,) = guest.lines()
        assert line.endswith(PROMPT)
        assert not guest.gone
    guest.send(b"root\nann2\n")
    assert guest.lines() == ["[SERVER] That name is reserved."]
    assert guest.gone
    guest.end()
    assert guest.connection.outcome == "no name in 5 tries"


def test_quitBeforeAName(house: House) -> None:
    guest = house.connect()
    guest.send(b"/quit\n")
    assert guest.gone


def test_theEndOfTheInput(house: House) -> None:
    """What was said without a newline is said; everything is answered before the connection ends."""
    ear = house.enter("ear")
    guest = house.connect()
    guest.heard()
    guest.send(b"ann\nhello\n/who\nlast")
    guest.connection.readConnectionLost()
    assert guest.lines() == ["[SERVER] ann joined the chat!", "[SERVER] 2 here: ear, ann"]
    assert guest.gone
    assert ear.lines() == [
        "[SERVER] ann joined the chat!", "[ann] hello", "[ann] last", "[SERVER] ann left the chat",
    ]  # fmt: skip


def test_theEndInTheMiddleOfALengthPrefixedMessage(house: House) -> None:
    ear = house.enter("ear")
    guest = house.enter("ann", FRAMED)
    guest.send(b"\0\0\0\5hel")
    guest.connection.readConnectionLost()
    assert guest.gone
    guest.end()
    assert guest.connection.outcome == "closed in the middle of a message"
    assert ear.lines() == ["[SERVER] ann left the chat"]


def test_tooFastIsHeldBackAndNothingIsLost(clock: Clock) -> None:
    """The peer is not read from meanwhile, others are."""
    house = House(clock, ChatLimits(rate=8, burst=2))
    ear, other, fast = house.enter("ear"), house.enter("other"), house.enter("fast")
    fast.send(b"".join(b"%d\n" % number for number in range(6)))
    assert ear.lines() == ["[fast] 0", "[fast] 1"]
    assert not fast.transport.reading
    other.send(b"hi\n")
    assert ear.lines() == ["[other] hi"]
    for number in range(2, 6):
        clock.advance(1 / 16)
        assert ear.lines() == []
        clock.advance(1 / 16)
        clock.advance(0)
        assert ear.lines() == [f"[fast] {number}"]
    assert fast.transport.reading
    house.close()


def test_tooFastAndThenTheEnd(clock: Clock) -> None:
    """What is still to be said is said at that pace, and then it leaves."""
    house = House(clock, ChatLimits(rate=10, burst=1))
    ear, fast = house.enter("ear"), house.enter("fast")
    fast.send(b"a\nb\nc")
    fast.connection.readConnectionLost()
    assert not fast.gone
    clock.pump([0.1, 0.1, 0.1])
    assert fast.gone
    assert ear.lines() == ["[fast] a", "[fast] b", "[fast] c", "[SERVER] fast left the chat"]
    house.close()


def test_halfAMessageCostsNoTurn(clock: Clock) -> None:
    """Only a whole message counts for the pace."""
    house = House(clock, ChatLimits(rate=1, burst=2))
    ear, slow = house.enter("ear"), house.enter("slow")
    for byte in inPieces(b"hello\nyou\n", 1):
        slow.send(byte)
    assert ear.lines() == ["[slow] hello", "[slow] you"]
    house.close()


def test_tooManyFromOneAddress(clock: Clock) -> None:
    house = House(clock, ChatLimits(joins=1))
    house.enter("ann")
    house.enter("bob")
    guest = house.connect()
    guest.heard()
    guest.send(b"cat\n")
    assert "Too many people come from your address" in guest.lines()[0]
    house.enter("dan", host="192.0.2.2")
    clock.advance(1)
    guest.send(b"cat\n")
    assert guest.lines() == ["[SERVER] cat joined the chat!"]
    house.close()


def test_aFullRoom(clock: Clock) -> None:
    house = House(clock, mostMembers=1)
    house.enter("ann")
    guest = house.connect()
    guest.heard()
    guest.send(b"bob\n")
    assert guest.lines() == [f"[SERVER] The room is full. {PROMPT}"]
    house.close()


def test_noNameInTime(clock: Clock) -> None:
    """Also for somebody who sends a byte now and then."""
    house = House(clock, ChatLimits(naming=60))
    guest, ann = house.connect(), house.enter("ann")
    for _ in range(7):
        clock.pump([1.0] * 10)
        if not guest.gone:
            guest.send(b"x")
    assert guest.gone
    assert guest.connection.outcome == "no name for 60 s"
    assert not ann.gone
    house.close()


def test_aSilentMemberMayStay(clock: Clock) -> None:
    house = House(clock)
    ann = house.enter("ann")
    clock.pump([600.0] * 10)
    assert not ann.gone
    house.close()


def test_oneWayIntoTheRoomStops(clock: Clock) -> None:
    """Its members are not told that all of them leave; those that came another way are."""
    house = House(clock)
    guests = [house.enter(f"guest {number}") for number in range(3)]
    other = house.enter("other", PLAIN)
    for guest in guests:
        guest.heard()
    stopped: list[object] = []
    factory = house.factories[LINE]
    factory.finish().addCallback(stopped.append)
    clock.pump([0.002] * 3)
    assert all(guest.gone for guest in guests)
    for guest in guests:
        guest.end()
    assert stopped == [None]
    assert all(guest.heard() == b"" for guest in guests)
    assert other.texts() == [f"[SERVER] guest {number} left the chat" for number in range(3)]
    house.close()


def test_theLine(house: House, loggedLines: list[str]) -> None:
    """One for a connection; of what was said there is nothing."""
    ann = house.enter("ann \u00e9")
    ann.send(b"secret words\n/quit\n")
    ann.end()
    (line,) = [line for line in loggedLines if "chat #" in line]
    assert '"ann \\xe9", 2 messages, 26 bytes in, ' in line
    assert "; quit after" in line
    assert "secret" not in line


def test_aBugInOneMemberIsNoOthers(house: House, loggedFailures: LoggedFailures) -> None:
    class Broken:
        dialect = LINE

        def deliver(self, data: bytes) -> None:
            raise ZeroDivisionError

    broken = Broken()
    house.live.enter(broken, "broken", "192.0.2.9")
    ann, bob = house.enter("ann"), house.enter("bob")
    ann.send(b"hi\n")
    assert bob.lines() == ["[ann] hi"]
    house.live.leave(broken)
    assert loggedFailures.flush(ZeroDivisionError)


def test_limitsOfTheFactory(clock: Clock) -> None:
    house = House(clock, service=Limits(maxConnections=1, idleTimeout=0))
    house.enter("ann")
    assert house.factories[LINE].buildProtocol(None) is None
    house.factories[LINE].refused.flush()
    house.close()
