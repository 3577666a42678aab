"""
The room: names, who gets what, history, commands, pace.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.chat.room import Delivery, Heard, Pace, Refused, Room, checkName, nameKey
from labnet.chat.wire import Did, Joined, Left, Renamed, Said, Told, clean

HELP = "/who lists who is here"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"ann", "ann"),
        (b"  ann \r\n", "ann"),
        (b"Mary-Jane O'Neill", "Mary-Jane O'Neill"),
        (b"user_1.2", "user_1.2"),
        ("\u00c1rv\u00edzt\u0171r\u0151".encode(), "\u00c1rv\u00edzt\u0171r\u0151"),
        ("\u674e\u96f7".encode(), "\u674e\u96f7"),
        ("\u0438\u0432\u0430\u043d".encode(), "\u0438\u0432\u0430\u043d"),
        ("\u0928\u0940\u0930\u091c\u093e".encode(), "\u0928\u0940\u0930\u091c\u093e"),
        (b"x" * 32, "x" * 32),
        (b"7", "7"),
    ],
)
def test_namesThatArePossible(raw: bytes, name: str) -> None:
    assert checkName(raw) == name


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "at least one letter"),
        (b" \t ", "at least one letter"),
        (b"x" * 33, "at most 32 characters"),
        (b"x" * 10_240, "at most 32 characters"),
        ("\ufdfa\ufdfa".encode(), "at most 32 characters"),
        (b"ann:", "letters and digits"),
        (b"a:b", "letters and digits"),
        (b"a\nb", "letters and digits"),
        (b"a\rb", "letters and digits"),
        (b"a\0b", "letters and digits"),
        (b"a\x1b[2J", "letters and digits"),
        (b"a\x7fb", "letters and digits"),
        ("a\x85b".encode(), "letters and digits"),
        ("a\x9bb".encode(), "letters and digits"),
        ("a\u2028b".encode(), "letters and digits"),
        ("a\u200bb".encode(), "letters and digits"),
        ("a\u200db".encode(), "letters and digits"),
        ("a\u202eb".encode(), "letters and digits"),
        ("a\u2066b".encode(), "letters and digits"),
        ("a\ufe0fb".encode(), "letters and digits"),
        ("a\u034fb".encode(), "letters and digits"),
        ("a\u3164b".encode(), "letters and digits"),
        ("\u3164".encode(), "letters and digits"),
        ("a\U000e0041b".encode(), "letters and digits"),
        ("\U0001f44d".encode(), "letters and digits"),
        (b"[SERVER]", "letters and digits"),
        ("\uff3bSERVER\uff3d".encode(), "letters and digits"),
        (b"*server*", "letters and digits"),
        (b"* ann", "letters and digits"),
        (b"/who", "letters and digits"),
        (b"%s", "letters and digits"),
        (b"{0}", "letters and digits"),
        (b"ann.", "begins and ends"),
        (b".ann", "begins and ends"),
        (b"-", "begins and ends"),
        ("\u0301a".encode(), "begins and ends"),
        (b"a  b", "one blank"),
        ("a\u00a0 b".encode(), "letters and digits"),
        ("x" + "\u0316\u0317\u0318", "one blank, and two accents"),
        ("\u0430nn".encode(), "one alphabet"),
        ("ann\u03bf".encode(), "one alphabet"),
        (b"server", "reserved"),
        (b"SERVER", "reserved"),
        ("\uff53\uff45\uff52\uff56\uff45\uff52".encode(), "reserved"),
        ("\u0405y\u0455tem".encode(), "one alphabet"),
        (b"Root", "reserved"),
        (b"\xc0\xaf", "UTF-8"),
        (b"\xed\xa0\x80", "UTF-8"),
        (b"ann\xff", "UTF-8"),
    ],
)
def test_namesThatAreRefused(raw: bytes | str, sentence: str) -> None:
    """With a sentence, which repeats nothing of the name."""
    with pytest.raises(Refused, match=sentence) as caught:
        checkName(raw)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@given(st.text(max_size=40))
def test_aNameIsHarmlessAndUnchanged(raw: str) -> None:
    """Whatever is accepted is what was asked for, less the blanks around it, and one harmless line."""
    try:
        name = checkName(raw)
    except Refused:
        return
    assert name == raw.strip()
    assert clean(name) == name
    assert 1 <= len(name) <= 32
    assert not set(name) & set('[]:*/<>&"\\\n')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "ANN"),
        ("stra\u00dfe", "STRASSE"),
        ("ann", "\uff41\uff4e\uff4e"),
        ("caf\u00e9", "cafe\u0301"),
        ("\u017fam", "sam"),
        ("cope", "\u0441\u043e\u0440\u0435"),
        ("COPE", "\u0421\u041e\u0420\u0415"),
        ("vot", "\u03bd\u03bf\u03c4"),
        ("\u2168", "ix"),
    ],
)
def test_namesThatAreTheSame(one: str, other: str) -> None:
    """Case, width, composition, compatibility, and letters of other alphabets that look alike."""
    room: Room[str] = Room()
    room.join("first", one)
    with pytest.raises(Refused, match="taken"):
        room.join("second", other)
    assert "second" not in room
    assert nameKey(one) == nameKey(other)


def test_joining() -> None:
    """Everybody is told, the newcomer too; there is no history yet."""
    room: Room[str] = Room()
    assert room.join("a", "ann") == (Delivery(Joined("ann")),)
    assert room.join("b", b"bob") == (Delivery(Joined("bob")),)
    assert list(room) == ["a", "b"]
    assert room.nameOf("b") == "bob"


def test_leaving() -> None:
    """The rest is told, the name is free again, and to leave twice is nothing."""
    room: Room[str] = Room()
    room.join("a", "ann")
    assert room.leave("a") == (Delivery(Left("ann")),)
    assert room.leave("a") == ()
    assert len(room) == 0
    room.join("b", "Ann")


def test_sayingSomething() -> None:
    """Everybody else hears it, or everybody where a member is shown its own."""
    room: Room[str] = Room()
    room.join("a", "ann")
    room.join("b", "bob", echo=True)
    assert room.hear("a", "hi") == Heard((Delivery(Said("ann", "hi"), but="a"),))
    assert room.hear("b", "hi") == Heard((Delivery(Said("bob", "hi")),))
    assert room.hear("a", "  ") == Heard()


def test_history() -> None:
    """The last so many messages, for those only who have it, before the notice that they came."""
    room: Room[str] = Room(history=2)
    room.join("a", "ann")
    for text in ("one", "two", "/me three"):
        room.hear("a", text)
    assert room.join("b", "bob") == (
        Delivery(Told("2 earlier messages:"), only="b"),
        Delivery(Said("ann", "two"), only="b"),
        Delivery(Did("ann", "three"), only="b"),
        Delivery(Joined("bob")),
    )
    assert room.join("c", "cat", extras=False) == (Delivery(Joined("cat")),)
    one: Room[str] = Room(history=1)
    one.join("a", "ann")
    one.hear("a", "hi")
    assert one.join("b", "bob")[0] == Delivery(Told("1 earlier message:"), only="b")
    none: Room[str] = Room(history=0)
    none.join("a", "ann")
    none.hear("a", "hi")
    assert none.join("b", "bob") == (Delivery(Joined("bob")),)


def test_commands() -> None:
    room: Room[str] = Room()
    room.join("a", "ann")
    room.join("b", "bob")
    assert room.hear("a", "/quit").quits
    assert room.hear("a", "/quit see you").quits
    assert room.hear("a", "/who") == Heard((Delivery(Told("2 here: ann, bob"), only="a"),))
    assert room.hear("a", "/me  waves ") == Heard((Delivery(Did("ann", "waves"), but="a"),))
    assert room.hear("a", "//etc") == Heard((Delivery(Said("ann", "/etc"), but="a"),))
    for text in ("/me", "/nick", "/nick  ", "/help"):
        (delivery,) = room.hear("a", text).deliveries
        assert delivery.only == "a"
        assert str(delivery.event).startswith(f"Told(text='{HELP}")
    (delivery,) = room.hear("a", "/" + "x" * 100).deliveries
    assert delivery.only == "a"
    assert "There is no /" + "x" * 19 + ";" in str(delivery.event)


def test_withoutExtrasThereIsQuitOnly() -> None:
    room: Room[str] = Room()
    room.join("a", "ann", extras=False)
    assert room.hear("a", "/who") == Heard((Delivery(Said("ann", "/who"), but="a"),))
    assert room.hear("a", "/quit").quits


def test_anotherName() -> None:
    """The old one is free then; one's own in other letters is no problem; a refusal changes nothing."""
    room: Room[str] = Room()
    room.join("a", "ann")
    room.join("b", "bob")
    assert room.hear("a", "/nick Anna") == Heard((Delivery(Renamed("ann", "Anna")),))
    assert room.hear("a", "/nick ANNA") == Heard((Delivery(Renamed("Anna", "ANNA")),))
    assert room.hear("a", "/nick ANNA") == Heard()
    for bad, sentence in (("BOB", "taken"), ("server", "reserved"), ("a:b", "letters")):
        (delivery,) = room.hear("a", f"/nick {bad}").deliveries
        assert delivery.only == "a"
        assert sentence in str(delivery.event)
    assert room.nameOf("a") == "ANNA"
    room.join("c", "ann")
    with pytest.raises(Refused):
        room.join("d", "anna")
    room.leave("a")
    room.join("d", "anna")


def test_aFullRoom() -> None:
    room: Room[int] = Room(mostMembers=2)
    room.join(1, "ann")
    room.join(2, "bob")
    with pytest.raises(Refused, match="full"):
        room.join(3, "cat")
    room.leave(1)
    room.join(3, "cat")


def test_whoIsCutShort() -> None:
    room: Room[int] = Room()
    for number in range(150):
        room.join(number, f"member {number}")
    (delivery,) = room.hear(0, "/who").deliveries
    text = str(delivery.event)
    assert "150 here: member 0, member 1," in text
    assert "member 99, and 50 more" in text
    assert "member 100" not in text


def test_pace() -> None:
    """So many at once, then one each interval; silence earns no more than the burst."""
    pace = Pace(rate=10, burst=3)
    assert [pace.wait(100.0) for _ in range(3)] == [0, 0, 0]
    assert pace.wait(100.0) == pytest.approx(0.1)
    assert pace.wait(100.0) == pytest.approx(0.1)
    assert pace.wait(100.1) == 0
    assert pace.wait(100.1) == pytest.approx(0.1)
    assert [bool(pace.wait(1000.0)) for _ in range(4)] == [False, False, False, True]


def test_noPace() -> None:
    pace = Pace(rate=0, burst=1)
    assert not any(pace.wait(1.0) for _ in range(1000))
