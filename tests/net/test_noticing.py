"""
What a student should notice: each sentence where it is true, and only there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labnet.net.dissection import NOT_UNDERSTOOD, Field, dissectorFor, fieldsOf
from labnet.net.noticing import MOST_OF_A_KIND, Lesson, Notice, Noticing, noticed
from labnet.net.trace import Bounds, Conversation, Event, Happening, Trace, TransportName
from labnet.net.utf8 import CutCharacter, CutCharacters
from tests.documents import ROOT

#: A step: what happened, with which bytes or which note, and the seconds before it.
Step = tuple[Happening, bytes | str, float]

REQUEST = struct.pack("<ii1s", 12, 34, b"+")
REPLY = struct.pack("<ii1s", 46, 0, b"R")


def came(data: bytes, after: float = 0.0) -> Step:
    return Happening.RECEIVED, data, after


def went(data: bytes, after: float = 0.0) -> Step:
    return Happening.WRITTEN, data, after


PEER_ENDED: Step = (Happening.PEER_ENDED, b"", 0.0)
WE_ENDED: Step = (Happening.WE_ENDED, b"", 0.0)


def closed(note: str = "FIN from the peer") -> Step:
    return Happening.CLOSED, note, 0.0


def recorded(
    steps: Iterable[Step], service: str, detail: str = "", transport: TransportName = "tcp"
) -> tuple[Conversation, dict[int, list[Field]]]:
    """A conversation, and the fields by event."""
    trace, at = Trace(), 100.0
    conversation = trace.begin(service, detail, transport, ("127.0.0.1", 1), ("127.0.0.1", 2), at)
    dissector = dissectorFor(service, detail, transport)
    fields: dict[int, list[Field]] = {}
    for what, said, after in steps:
        at += after
        data, note = (said, "") if isinstance(said, bytes) else (b"", said)
        trace.add(conversation, what, at, data, note)
        if dissector is not None:
            calls: dict[Happening, Callable[[], list[Field]]] = {
                Happening.RECEIVED: lambda data=data: dissector.received(data),  # type: ignore[misc]
                Happening.WRITTEN: lambda data=data: dissector.written(data),  # type: ignore[misc]
                Happening.PEER_ENDED: dissector.receivedEnd,
                Happening.CLOSED: lambda: dissector.receivedEnd() + dissector.writtenEnd(),
            }
            if what in calls:
                fields[conversation.events[-1].number] = calls[what]()
    return conversation, fields


def told(
    *steps: Step, service: str = "calculator", detail: str = "struct9", transport: TransportName = "tcp"
) -> list[Notice]:
    return noticed(*recorded(steps, service, detail, transport))


def without(notices: Iterable[Notice], *lessons: Lesson) -> list[Notice]:
    return [notice for notice in notices if notice.lesson not in lessons]


def lines(*steps: Step, detail: str = "raw, lines") -> list[Notice]:
    return told(*steps, service="echo", detail=detail)


# Streams


def test_ordinaryExchangesSayLittle() -> None:
    """A request in one piece, its reply in one write: that is all there is to say, and it is said once."""
    assert told(came(REQUEST), went(REPLY), came(REQUEST), went(REPLY), PEER_ENDED, closed()) == [
        Notice(
            Lesson.ONE_WRITE,
            "Reply 1 left in one write. That does not mean that it is read as one.",
            (3,),
        )
    ]


def test_severalMessagesInOnePiece() -> None:
    assert told(came(REQUEST * 2), came(REQUEST * 3)) == [
        Notice(
            Lesson.SEVERAL_IN_ONE,
            "2 messages came in one piece, request 1 and request 2: one read is not one message.",
            (2,),
        ),
        Notice(
            Lesson.SEVERAL_IN_ONE,
            "3 messages came in one piece, request 3 to request 5: one read is not one message.",
            (3,),
        ),
    ]


def test_severalMessagesInOneWrite() -> None:
    assert told(went(REPLY * 2)) == [
        Notice(
            Lesson.SEVERAL_IN_ONE,
            "2 messages left in one write, reply 1 and reply 2: the peer may read them in one piece.",
            (2,),
        )
    ]


def test_aMessageInPieces() -> None:
    """All of its pieces are counted, and how long it took, if that was long."""
    assert told(came(REQUEST[:4]), came(REQUEST[4:6]), came(REQUEST[6:])) == [
        Notice(
            Lesson.IN_PIECES,
            "Request 1 came in 3 pieces: one message can take several reads.",
            (2, 3, 4),
        )
    ]
    assert [notice.text for notice in told(came(REQUEST[:4]), came(REQUEST[4:], 1.25))] == [
        "Request 1 came in 2 pieces in 1.2 s: one message can take several reads."
    ]


def test_oneByteAtATime() -> None:
    (notice,) = told(*(came(bytes([byte])) for byte in REQUEST))
    assert notice.text == "Request 1 came in 9 pieces of one byte each: one message can take several reads."
    assert notice.events == tuple(range(2, 11))


def test_twoBytesInTwoPiecesAreNotPiecesOfOneByte() -> None:
    """The pieces have bytes of other messages as well."""
    notices = [notice for notice in lines(came(b"x\na"), came(b"\ny\n")) if "of one byte" in notice.text]
    assert notices == []


def test_aMessageInSeveralWrites() -> None:
    assert told(went(REPLY[:4]), went(REPLY[4:])) == [
        Notice(Lesson.IN_PIECES, "Reply 1 left in 2 writes.", (2, 3))
    ]


def test_onePieceWithAnEndAndABeginning() -> None:
    """The second request begins in the piece that ends the first; said when it is whole, and so is one."""
    steps = (came(REQUEST + REQUEST[:4]), came(REQUEST[4:]))
    assert told(steps[0]) == []
    assert told(*steps) == [
        Notice(
            Lesson.IN_PIECES,
            "Request 2 came in 2 pieces: one message can take several reads.",
            (2, 3),
        ),
        Notice(Lesson.ACROSS, "One piece had the end of request 1 and the beginning of request 2.", (2,)),
    ]


def test_onePieceWithAnEndAndAWholeMessage() -> None:
    notices = told(came(REQUEST[:4]), came(REQUEST[4:] + REQUEST))
    assert without(notices, Lesson.IN_PIECES) == [
        Notice(Lesson.ACROSS, "One piece had the end of request 1 and the whole of request 2.", (3,))
    ]


def test_whatStandsBetweenMessagesIsNoPieceOfThem() -> None:
    """White space came first, in a piece of its own: the object came in two."""
    notices = told(came(b" \n"), came(b'{"oper1'), came(b'":1}'), detail="json")
    assert [notice.events for notice in notices] == [(3, 4)]


def test_bothWroteAtTheSameTime() -> None:
    """We wrote while a message was coming in, or heard something while one was going out."""
    steps = (came(b"a\nb"), went(b"a\n"), came(b"\n"))
    assert without(lines(*steps), Lesson.ONE_WRITE, Lesson.ACROSS, Lesson.IN_PIECES) == [
        Notice(
            Lesson.BOTH_AT_ONCE,
            "We wrote before message 2 was all there: neither direction waits for the other.",
            (2, 3, 4),
        )
    ]
    steps = (went(b"a"), came(b"b\n"), went(b"\n"))
    assert without(lines(*steps), Lesson.IN_PIECES) == [
        Notice(
            Lesson.BOTH_AT_ONCE,
            "The peer wrote before answer 1 had all left: neither direction waits for the other.",
            (2, 3, 4),
        )
    ]


def test_takingTurnsIsNotAtTheSameTime() -> None:
    """Both directions in pieces, one after the other."""
    notices = lines(came(b"a"), came(b"\n"), went(b"a"), went(b"\n"), came(b"b"), came(b"\n"))
    assert {notice.lesson for notice in notices} == {Lesson.IN_PIECES}


@pytest.mark.parametrize(
    ("end", "who"),
    [
        (PEER_ENDED, "The peer ended its half"),
        (closed("reset by the peer"), "The connection ended"),
    ],
)
def test_theEndInTheMiddleOfAMessage(end: Step, who: str) -> None:
    assert without(told(came(REQUEST[:5]), end), Lesson.RESET) == [
        Notice(
            Lesson.CUT_OFF, f"{who} in the middle of request 1: the stream ended after 5 bytes of it.", (3,)
        )
    ]


def test_ourEndInTheMiddleOfAMessage() -> None:
    """We may ask for the end before all is written, so it is the connection's end that tells."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    steps = [came(b"GET / HTTP/1.1\r\n\r\n"), went(head + b"hel"), WE_ENDED]
    assert told(*steps, service="web", detail="") == []
    (notice,) = told(*steps, closed("closed by us"), service="web", detail="")
    assert notice.text.startswith("The connection ended in the middle of response 1: ")


def test_aMessageThatOnlyTheEndOfTheStreamEnds() -> None:
    steps = (came(b"notes.txt"), PEER_ENDED, went(b"OK1x"), WE_ENDED, closed("closed by us"))
    notices = told(*steps, service="files", detail="course")
    assert without(notices, Lesson.HALF_CLOSED) == [
        Notice(Lesson.END_ONLY, "Nothing but the end of the stream shows where the name ends.", (3,)),
        Notice(Lesson.END_ONLY, "Nothing but the end of the stream shows where the file ends.", (6,)),
    ]


def test_halvesEndByThemselves() -> None:
    """Each is said once."""
    notices = told(came(REQUEST), PEER_ENDED, went(REPLY[:4]), went(REPLY[4:]))
    assert without(notices, Lesson.IN_PIECES) == [
        Notice(
            Lesson.HALF_CLOSED,
            "The peer had ended its half, and was still written to: each half ends by itself.",
            (3, 4),
        )
    ]
    assert told(WE_ENDED, came(REQUEST), came(REQUEST)) == [
        Notice(
            Lesson.AFTER_OUR_END,
            "Bytes came after we had asked for the end: each half ends by itself.",
            (2, 3),
        )
    ]


def test_resets() -> None:
    peers = told(came(REQUEST), went(REPLY), closed("reset by the peer"))
    assert without(peers, Lesson.ONE_WRITE) == [
        Notice(
            Lesson.RESET,
            "The peer reset the connection. That happens when a program closes with bytes unread, or is "
            "written to after its end; what was on its way can be lost.",
            (3, 4),
        )
    ]
    (ours,) = told(came(REQUEST), closed("reset by us: a bug in this service"))
    assert (ours.lesson, ours.events) == (Lesson.RESET, (3,))


def test_aPeerThatSendsNothing() -> None:
    assert told(closed()) == [
        Notice(Lesson.NOTHING_SENT, "The connection ended, and the peer had sent nothing.", (2,))
    ]


def test_whatIsNotUnderstood() -> None:
    """It is said where that is."""
    (notice,) = told(came(b"GET / HTTP/1.0\n\nhello\n"), service="web", detail="")
    assert notice.text == "At byte 16 of its stream: this is no request line: hello."


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_whatWasNotKeptIsNobodysMistake(transport: TransportName) -> None:
    """Where not all of a piece was kept, its message was whole for all that is known."""
    trace = Trace(Bounds(pieceBytes=4))
    conversation = trace.begin("calculator", "struct9", transport, ("::1", 1), ("::1", 2), 100.0)
    trace.add(conversation, Happening.RECEIVED, 101.0, REQUEST)
    dissector = dissectorFor("calculator", "struct9", transport)
    fields = {event.number: fieldsOf(dissector, event) for event in conversation.events}
    assert [field.name for field in fields[2]].count(NOT_UNDERSTOOD) == 1
    assert noticed(conversation, fields) == []


def test_piecesThatAreMessagesAreNotTalkedAbout() -> None:
    """Where a service takes what one read delivers for a message, pieces are messages by definition."""
    assert told(came(b"a"), went(b"Echo: a"), came(b"b"), service="echo", detail="prefix") == []


def test_withoutFieldsLittleIsKnown() -> None:
    steps = [came(b"a"), came(b"b"), went(b"c"), PEER_ENDED, closed("closed by us")]
    assert told(*steps, service="netcat", detail="") == []


# Characters


def characters(*pieces: bytes) -> list[CutCharacter]:
    watch = CutCharacters()
    cuts = [watch.feed(number, piece) for number, piece in enumerate(pieces, 1)]
    return [cut for cut in cuts if cut is not None]


def test_aCutThroughACharacter() -> None:
    text = "szőlő".encode()
    (notice,) = told(came(text[:3]), came(text[3:]), service="netcat", detail="")
    assert notice == Notice(
        Lesson.CUT_CHARACTER,
        "2 pieces share the bytes c5 91, in UTF-8 the character ő: none of them can be decoded alone.",
        (2, 3),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_cutsAtEveryPlace(size: int) -> None:
    """Exactly the characters with a border of two pieces in them."""
    text = "a\n€ő😀 b😀ő€"
    data = text.encode()
    expected, at = [], 0
    for character in text:
        end = at + len(character.encode())
        if at // size != (end - 1) // size:
            expected.append((character, tuple(range(at // size + 1, (end - 1) // size + 2))))
        at = end
    found = characters(*(data[at : at + size] for at in range(0, len(data), size)))
    assert [(cut.character, cut.pieces) for cut in found] == expected


@pytest.mark.parametrize(
    "pieces",
    [
        ["ő".encode(), "ő".encode()],
        [b"\xc5", b"x"],
        [b"\x00\xc5", b"\x91"],
        [b"\xff", b"a\xc5", b"\x91"],
        [b"a\xc5"],
        [b"\xc2", b"\x80"],
    ],
)
def test_whereThereIsNoCutCharacter(pieces: list[bytes]) -> None:
    """Whole ones; what is no UTF-8; what is no text."""
    assert characters(*pieces) == []


def test_aPieceThatWasNotKeptWholeIsNotLookedAt() -> None:
    noticing = Noticing()
    assert noticing.happened(Event(1, 0.0, Happening.RECEIVED, b"a\xc5", 1000)) == []
    assert noticing.happened(Event(2, 0.0, Happening.RECEIVED, b"\x91", 1)) == []


def test_nothingIsSaidAcrossWhatIsMissing() -> None:
    """What was not seen can have been anything."""
    noticing = Noticing()
    assert noticing.happened(Event(1, 0.0, Happening.RECEIVED, b"a\xc5", 2)) == []
    assert noticing.happened(Event(3, 0.0, Happening.RECEIVED, b"\x91", 1)) == []


# Datagrams


def datagrams(*steps: Step) -> list[Notice]:
    return told(*steps, transport="udp")


def test_datagramsWithAnswers() -> None:
    assert (
        datagrams(came(REQUEST), went(REPLY), came(REQUEST), went(REPLY), closed("silent for 60 s")) == []
    )


def test_aDatagramWithoutAnAnswer() -> None:
    assert datagrams(came(REQUEST), went(REPLY), came(b"x", 1.0), closed("silent for 60 s")) == [
        Notice(
            Lesson.CUT_OFF,
            "A datagram was not understood: request 2: the datagram ended after 1 byte of it.",
            (4,),
        ),
        Notice(
            Lesson.NO_ANSWER,
            "Nothing went back after the last datagram: over UDP a client has to have a time limit.",
            (4, 5),
        ),
    ]


def test_theSameDatagramAgain() -> None:
    notices = datagrams(came(REQUEST), came(REQUEST, 1.0), went(REPLY), came(REQUEST))
    assert notices == [
        Notice(
            Lesson.SAME_AGAIN,
            "The same 9 bytes came again after 1.0 s, with nothing sent back in between: sent once more, "
            "or doubled on the way.",
            (2, 3),
        )
    ]


def test_aDatagramWithoutBytes() -> None:
    (notice, *_) = told(came(b""), service="echo", detail="raw", transport="udp")
    assert (notice.lesson, notice.events) == (Lesson.EMPTY_DATAGRAM, (2,))


# Bounds


def test_aLessonIsRepeatedAFewTimesOnly() -> None:
    assert len(told(*(came(REQUEST * 2) for _ in range(20)))) == MOST_OF_A_KIND


def test_aMessageOfVeryManyPieces() -> None:
    """They are counted, and not kept one by one; of the events some are named."""
    noticing = Noticing()
    for event in (Event(number, 0.0, Happening.RECEIVED, b"x", 1) for number in range(1, 3_001)):
        assert noticing.happened(event) == []
    message = Field(0, 3_001, "message 1", "")
    (notice,) = noticing.happened(Event(3_001, 0.0, Happening.RECEIVED, b"\n", 1), [message])
    assert notice.text.startswith("Message 1 came in 3001 pieces of one byte each")
    assert len(notice.events) == 20
    assert notice.events[0] == 1
    assert notice.events[-1] == 3_001
    # And the next message is counted anew.
    noticing.happened(Event(3_002, 0.0, Happening.RECEIVED, b"x", 1))
    message = Field(3_001, 3_003, "message 2", "")
    (notice,) = noticing.happened(Event(3_003, 0.0, Happening.RECEIVED, b"\n", 1), [message])
    assert notice.text.startswith("Message 2 came in 2 pieces")


def test_aMessageThatBeganSomewhereInVeryManyPieces() -> None:
    """Where it began is not known any more, so nothing is said."""
    noticing = Noticing()
    for number in range(1, 3_001):
        noticing.happened(Event(number, 0.0, Happening.RECEIVED, b" ", 1))
    message = Field(1_500, 3_001, "message 1", "")
    assert noticing.happened(Event(3_001, 0.0, Happening.RECEIVED, b"\n", 1), [message]) == []


# The page


def test_thePageHasTheSentences() -> None:
    """Every sentence of C{docs/dissection.md} is one that is said, and there is one of each kind."""
    word = "szőlő".encode()
    notices = [
        *told(came(REQUEST * 2), went(REPLY * 2)),
        *told(came(REQUEST[:4]), came(REQUEST[4:6]), came(REQUEST[6:]), went(REPLY)),
        *told(came(REQUEST + REQUEST[:4]), went(REPLY), came(REQUEST[4:])),
        *told(came(REQUEST[:5]), PEER_ENDED, went(REPLY), closed("reset by the peer")),
        *told(went(b"OK1x"), WE_ENDED, came(b"x"), closed("reset by us"), service="files", detail="course"),
        *told(came(word[:3]), came(word[3:]), closed(), service="netcat", detail=""),
        *told(came(b"GET / HTTP/1.0\n\nhello\n"), service="web", detail=""),
        *told(closed()),
        *datagrams(came(REQUEST), came(REQUEST, 1.0), went(REPLY), came(b""), closed("silent for 60 s")),
        *datagrams(came(bytes(8))),
    ]
    page = ROOT.joinpath("docs", "dissection.md").read_text("utf-8").partition("## What to notice")[2]
    sentences = set(re.findall(r"^\| \*(.+?)\* \|", page, re.MULTILINE))
    assert sentences - {notice.text for notice in notices} == set()
    assert {notice.lesson for notice in notices if notice.text in sentences} == set(Lesson)


KINDS = [("calculator", "struct9"), ("echo", "raw, lines"), ("web", ""), ("chat", "plain"), ("netcat", "")]
steps = st.lists(
    st.tuples(
        st.sampled_from(list(Happening)),
        st.sampled_from([b"", b"a", REQUEST, REQUEST[:5], b"\n", b"GET / HTTP/1.1\r\n\r\n", "ő".encode()]),
        st.floats(0, 2),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, kind=st.sampled_from(KINDS), transport=st.sampled_from(["tcp", "udp"]))
def test_whateverHappens(steps: list[Step], kind: tuple[str, str], transport: TransportName) -> None:
    """No conversation makes it stumble, each sentence is one line, and its events have happened."""
    conversation, fields = recorded(steps, *kind, transport)
    for notice in noticed(conversation, fields):
        assert notice.text.endswith(".")
        assert notice.text.isprintable()
        assert notice.events
        assert set(notice.events) <= {event.number for event in conversation.events}
        assert list(notice.events) == sorted(set(notice.events))
