"""
The chat's contract: what a room and its members have to bear, in the three framings for sockets.

The bytes are those of C{docs/protocols/chat.md}. History, commands other than C{/quit}, and how a name is
refused are left open. A C{plain} message is what came before a gap, so nobody is asked to put one together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labnet.chat.wire import DIALECTS, LINE, PLAIN, PROMPT, Joined, Left, Said, textOf
from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Failed, Kind, Signs, decisive
from labnet.check.expectation import Expectation, Mismatch, matching, oneOf, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("chat", tuple(DIALECTS), interactive=True)

#: The framings in which a message says itself where it ends.
DELIMITED = ("line", "framed")
#: Text whose characters take one, two, three and four bytes.
UNICODE = "Naïve café, 5 €, \N{GRINNING FACE}!"

#: Seconds between two messages of one C{plain} member: more than the gap that ends a message.
_GAP = 0.08
#: Somebody of an earlier scenario may still be leaving.
_STRANGER = re.compile(rb"\[SERVER\] ([^\[]{0,4000}?) (?:joined the chat!|left the chat)", re.DOTALL)
_PERHAPS_STRANGER = re.compile(rb"\[SERVER\] [^\[]{0,4000}", re.DOTALL)
_LONGEST = 65_536
#: Speakers, and messages of each, that together are more than a system keeps for who does not read.
_SPEAKERS, _MANY = 13, 95


def frame(variant: str, text: str) -> bytes:
    """A message as it goes over the wire."""
    return DIALECTS[variant].frame(text)


def _message(variant: str, data: bytes, at: int) -> tuple[bytes, int] | None:
    """The message at that offset, and where the next one begins; L{None} if it is not whole."""
    if variant == LINE.name:
        end = data.find(b"\n", at)
        return None if end < 0 else (data[at:end], end + 1)
    length = int.from_bytes(data[at : at + 4], "big")
    if len(data) - at >= 4 and length > _LONGEST:
        raise Mismatch(at)
    if len(data) - at < 4 or len(data) - at - 4 < length:
        return None
    return data[at + 4 : at + 4 + length], at + 4 + length


def heard(
    variant: str, text: str, cast: frozenset[str], *, joining: bool = False, also: Sequence[str] = ()
) -> Expectation:
    """
    The next message, when those are left out that speak of nobody in the cast.

    @param joining: whether anything may stand before it: the history.
    @param also: texts that are left out as well.
    """
    wanted = text.encode("utf-8")
    plain = variant == PLAIN.name

    names = {name.encode("utf-8") for name in cast}
    passing = {one.encode("utf-8") for one in also}

    def foreign(message: bytes) -> bool:
        if message in passing:
            return True
        match = _STRANGER.fullmatch(message)
        return match is not None and match[1] not in names

    def takePlain(data: bytes, ended: bool) -> int | None:
        at = 0
        while not data.startswith(wanted, at):
            match = _STRANGER.match(data, at)
            if match is not None and foreign(match[0]):
                at = match.end()
                continue
            rest = data[at:]
            if not ended and (wanted.startswith(rest) or _PERHAPS_STRANGER.fullmatch(rest)):
                return None
            raise Mismatch(at + decisive(wanted, rest))
        return at + len(wanted)

    def takeDelimited(data: bytes, ended: bool) -> int | None:
        at = 0
        while (found := _message(variant, data, at)) is not None:
            message, following = found
            if message == wanted:
                return following
            if not joining and not foreign(message):
                raise Mismatch(at + decisive(frame(variant, text), data[at:]))
            at = following
        return None

    return taken(takePlain if plain else takeDelimited, f"the message {text!r}", frame(variant, text))


class Member:
    """Somebody in the room, with a name that nobody else has."""

    def __init__(self, server: Server, connection: Connection, cast: set[str], stem: str) -> None:
        self.connection = connection
        self.name = f"{stem}{server.random.randrange(10_000, 100_000)}"
        self._variant = server.variant
        self.cast = cast
        cast.add(self.name)

    async def join(self, signs: Signs = NO_SIGNS) -> None:
        """Be asked for a name, give it, and read that everyone is told."""
        connection = self.connection
        await connection.expect(
            frame(self._variant, PROMPT), words="the question for the name", signs=signs
        )
        await connection.send(frame(self._variant, self.name))
        await self.hears(textOf(Joined(self.name)), signs, joining=True)

    async def says(self, text: str) -> None:
        """Say something."""
        await self.connection.send(frame(self._variant, text))

    async def hears(
        self, text: str, signs: Signs = NO_SIGNS, *, joining: bool = False, also: Sequence[str] = ()
    ) -> None:
        """
        Hear this next.

        @param joining, also: see L{heard}.
        @raise Failed: something else, or nothing.
        """
        await self._expect(self._wanted(text, joining=joining, also=also), signs)

    async def hearsOneOf(self, texts: Sequence[str]) -> str:
        """Hear one of these next, and return it."""
        came = await self._expect(oneOf(*map(self._wanted, texts)), NO_SIGNS)
        return next(text for text in texts if text.encode() in came)

    def _wanted(self, text: str, *, joining: bool = False, also: Sequence[str] = ()) -> Expectation:
        return heard(self._variant, text, frozenset(self.cast), joining=joining, also=also)

    async def _expect(self, wanted: Expectation, signs: Signs) -> bytes:
        try:
            return await self.connection.expect(wanted, signs=signs)
        except Failed as failed:
            if failed.kind is Kind.OTHER and failed.exhibit is not None:
                failed.mistake = self._mistake(failed.exhibit.came) or failed.mistake
            raise

    def _mistake(self, came: bytes) -> Mistake | None:
        """What it shows that something else came."""
        own = f"[{self.name}]".encode()
        if own in came[: len(own) + 4]:
            return Mistake.TO_SENDER
        if self._variant == PLAIN.name and came[:1] in (b"\n", b"\r", b"\0", b" "):
            return Mistake.EXTRA
        return None


async def room(server: Server, *stems: str, signs: Signs = NO_SIGNS) -> list[Member]:
    """So many members, all of whom have heard that all are there."""
    members: list[Member] = []
    cast: set[str] = set()
    for stem in stems:
        newcomer = Member(server, await server.connect(signs=signs), cast, stem)
        await newcomer.join(signs)
        for member in members:
            await member.hears(textOf(Joined(newcomer.name)), signs)
        members.append(newcomer)
    return members


async def tell(speaker: Member, text: str, *others: Member, signs: Signs = NO_SIGNS) -> None:
    """Say something, and the others hear it."""
    await speaker.says(text)
    for other in others:
        await other.hears(textOf(Said(speaker.name, text)), signs)


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Two others come, and hear each other."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    signs[Kind.OTHER] = Mistake.SHARED_STATE
    one, other = await room(server, "xenia", "yann", signs=signs)
    await tell(one, "still here?", other, signs=signs)
    for member in (other, one):
        member.connection.close()


# Rooms: plain use


@CONTRACT.server("two talk", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def twoTalk(server: Server) -> None:
    """
    Two people come, give their names, and speak. Each hears that the other has come, and what the other
    says, and not what they say themselves. Everything else stands on this.
    """
    one, other = await room(server, "anna", "bert")
    await tell(one, "hello", other)
    await tell(other, "hello yourself", one)
    await tell(one, "how are you?", other)


@CONTRACT.server("somebody leaves", Topic.PLAIN, Mistake.GHOST)
async def somebodyLeaves(server: Server) -> None:
    """A member closes the connection: recv returns b''. The others are told, and go on."""
    one, leaving, other = await room(server, "anna", "bert", "carl")
    leaving.connection.close()
    for member in (one, other):
        await member.hears(textOf(Left(leaving.name)))
    await tell(other, "gone", one)


@CONTRACT.server("somebody says /quit", Topic.PLAIN, Mistake.QUIT_IGNORED)
async def somebodyQuits(server: Server) -> None:
    """/quit is no message: the server closes that connection, and tells the others who has left."""
    one, leaving = await room(server, "anna", "bert")
    await leaving.says("/quit")
    await one.hears(textOf(Left(leaving.name)), {Kind.OTHER: Mistake.QUIT_IGNORED})
    await _seesTheEnd(leaving, Mistake.QUIT_IGNORED)


async def _seesTheEnd(member: Member, mistake: Mistake) -> None:
    """The end of a member's connection; that the member has left may be said before."""
    if await member.connection.more():
        await member.hears(textOf(Left(member.name)))
    await member.connection.expectEnd(signs={Kind.STAYED: mistake})


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a message may arrive in any pieces, down to single bytes."""
    one, other = await room(server, "anna", "bert")
    await one.connection.send(frame(server.variant, "slowly does it"), pieces=1)
    await other.hears(textOf(Said(one.name, "slowly does it")))


@CONTRACT.server("cut at every place", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED)
async def cutEverywhere(server: Server) -> None:
    """A message in two pieces, cut once at each place where it can be cut."""
    one, other = await room(server, "anna", "bert")
    for place in range(1, len(frame(server.variant, "cut")) - 1):
        await one.connection.send(frame(server.variant, "cut"), cuts=[place])
        await other.hears(textOf(Said(one.name, "cut")))


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV, variants=DELIMITED)
async def twoInOnePiece(server: Server) -> None:
    """Two messages may arrive together: they are still two messages."""
    one, other = await room(server, "anna", "bert")
    await one.connection.send(frame(server.variant, "first"), frame(server.variant, "second"))
    for text in ("first", "second"):
        await other.hears(textOf(Said(one.name, text)))


@CONTRACT.server("one and a half in one piece", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED)
async def oneAndHalf(server: Server) -> None:
    """
    The end of one piece is no end of a message: what is there of the second one must be kept for later.
    """
    one, other = await room(server, "anna", "bert")
    first, second = frame(server.variant, "first"), frame(server.variant, "second")
    await one.connection.send(first, second, cuts=[len(first) + len(second) // 2])
    for text in ("first", "second"):
        await other.hears(textOf(Said(one.name, text)))


@CONTRACT.server("a character in two pieces", Topic.SEGMENTATION, Mistake.DECODE_SPLIT, variants=DELIMITED)
async def characterInTwo(server: Server) -> None:
    """The bytes of one character come in several pieces."""
    one, other = await room(server, "anna", "bert")
    message = frame(server.variant, UNICODE)
    await one.connection.send(message, cuts=[at for at, byte in enumerate(message) if byte & 0xC0 == 0x80])
    await other.hears(textOf(Said(one.name, UNICODE)))


# Slow peers, and the ends of streams


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.SHORT_RECV, variants=DELIMITED)
async def pauseInTheMiddle(server: Server) -> None:
    """A slow network: the second half of a message comes a third of a second after the first."""
    one, other = await room(server, "anna", "bert")
    message = frame(server.variant, "one moment")
    await one.connection.send(message[:6])
    await server.pause(0.3)
    await one.connection.send(message[6:])
    await other.hears(textOf(Said(one.name, "one moment")))


@CONTRACT.server("half-closed", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a member says that there is nothing more to say: that is leaving."""
    one, leaving = await room(server, "anna", "bert")
    await tell(leaving, "good night", one)
    leaving.connection.halfClose()
    await one.hears(textOf(Left(leaving.name)))
    await _seesTheEnd(leaving, Mistake.IGNORES_END)


@CONTRACT.server(
    "the end in the middle of a message", Topic.HALF_CLOSE, Mistake.CUT_KILLS, variants=DELIMITED
)
async def endInTheMiddle(server: Server) -> None:
    """A member leaves in the middle of a message. The others are told of the leaving, and go on."""
    one, leaving, other = await room(server, "anna", "bert", "carl")
    await leaving.connection.send(frame(server.variant, "I must")[:-2])
    await leaving.connection.wasRead()
    leaving.connection.close()
    for member in (one, other):
        # A last line may be taken for a message although its newline is missing.
        await member.hears(
            textOf(Left(leaving.name)), {Kind.OTHER: Mistake.HALF_ANSWER}, joining=server.variant == "line"
        )
    await tell(one, "well", other)


@CONTRACT.server("gone before the name", Topic.RESET, Mistake.RESET_KILLS)
async def goneBeforeTheName(server: Server) -> None:
    """One who is asked for a name breaks off, another closes. Nobody has come, and nobody has left."""
    (one,) = await room(server, "anna")
    for breakingOff in (True, False):
        connection = await server.connect()
        await connection.expect(frame(server.variant, PROMPT))
        if breakingOff:
            connection.reset()
        else:
            connection.close()
        other = Member(server, await server.connect(), one.cast, "bert")
        await other.join()
        await one.hears(textOf(Joined(other.name)), {Kind.OTHER: Mistake.CUT_KILLS})
        await tell(other, "hello", one)
        other.connection.close()
        await one.hears(textOf(Left(other.name)))


@CONTRACT.server("two are broken off", Topic.RESET, Mistake.RESET_KILLS)
async def twoAreBrokenOff(server: Server) -> None:
    """
    Two members vanish at the same time: recv from them and send to them raise exceptions. All others are
    told of both, and go on.
    """
    for _ in range(2):
        first, *_ = members = await room(server, "anna", "bert", "carl", "dora", "emil", "fred")
        gone, staying = (members[3], members[1]), (first, members[2], members[4], members[5])
        with server.frozen():
            for member in gone:
                member.connection.reset()
                await member.connection.more()
        lefts = [textOf(Left(member.name)) for member in gone]
        for place, member in enumerate(staying):
            try:
                await _hearsAll(member, lefts)
            except Failed as failed:
                if place == 0 and failed.kind is Kind.SILENCE:
                    failed.mistake = Mistake.GHOST
                elif failed.kind in (Kind.SILENCE, Kind.PART):
                    failed.mistake = await _whoElseMisses(staying[place + 1 :], lefts)
                raise
        await tell(first, "two less", *staying[1:])
        for member in reversed(staying):
            member.connection.close()


async def _whoElseMisses(others: tuple[Member, ...], texts: list[str]) -> Mistake:
    """Why somebody misses a message: if others behind in the list have it, that one was left out."""
    try:
        for other in others[-1:]:
            await _hearsAll(other, texts)
            return Mistake.LIST_CHANGED
    except Failed:
        pass
    return Mistake.BROKEN_MEMBER


async def _hearsAll(member: Member, texts: list[str]) -> None:
    """All of these, in any order."""
    left = list(texts)
    while left:
        left.remove(await member.hearsOneOf(left))


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, while members are connected."""
    await room(server, "anna", "bert")
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once, and those who stall


@CONTRACT.server("ten talk at once", Topic.MANY, Mistake.SHARED_STATE)
async def tenTalk(server: Server) -> None:
    """Ten members speak at the same time, and each hears the nine others."""
    members = await room(server, *"abcdefghij")
    for member in members:
        await member.says(f"I am {member.name}")
    said = {member: textOf(Said(member.name, f"I am {member.name}")) for member in members}
    await together(
        *(
            _hearsAll(member, [said[other] for other in members if other is not member])
            for member in members
        )
    )


@CONTRACT.server("halves of two members", Topic.MANY, Mistake.SHARED_STATE, variants=DELIMITED)
async def interleavedHalves(server: Server) -> None:
    """Two members send a half of their messages each, then the other halves. Each is a stream by itself."""
    one, other, third = await room(server, "anna", "bert", "carl")
    halves = [frame(server.variant, text) for text in ("from anna", "and from bert")]
    for member, half in zip((one, other), halves, strict=True):
        await member.connection.send(half[:7])
        await member.connection.wasRead()
    for member, half, text in zip((one, other), halves, ("from anna", "and from bert"), strict=True):
        await member.connection.send(half[7:])
        await third.hears(textOf(Said(member.name, text)))


@CONTRACT.server("one gives no name", Topic.STALL, Mistake.ONE_CLIENT)
async def oneGivesNoName(server: Server) -> None:
    """Somebody connects, is asked for a name, and says nothing. The others come and talk all the same."""
    stalled = await server.connect()
    await stalled.expect(frame(server.variant, PROMPT), words="the question for the name")
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("one does not read", Topic.STALL, Mistake.SLOW_MEMBER, variants=DELIMITED)
async def oneDoesNotRead(server: Server) -> None:
    """
    A member's machine is stuck: nothing is read there any more. Others come, say some five million bytes
    together, and go; all of that must reach a member who does read.
    """
    stuck, listener = await room(server, "anna", "bert")
    stuck.connection.stopReading()
    text = "x" * 4_000
    for _ in range(_SPEAKERS):
        speaker = Member(server, await server.connect(), listener.cast, "carl")
        await speaker.join()
        also = (textOf(Left(stuck.name)),)
        await listener.hears(textOf(Joined(speaker.name)), also=also)
        await speaker.connection.send(*(frame(server.variant, text) for _ in range(_MANY)))
        speaker.connection.close()
        size = _MANY * len(frame(server.variant, textOf(Said(speaker.name, text))))
        await listener.connection.expect(_allOf(size, frame(server.variant, textOf(Left(speaker.name)))))


def _allOf(size: int, last: bytes) -> Expectation:
    """So many bytes at least, and these at their end."""

    def take(data: bytes, ended: bool) -> int | None:
        at = data.find(last, size) if len(data) > size else -1
        return None if at < 0 else at + len(last)

    said = f"the {size} bytes that somebody has said, and " if size else ""
    return taken(take, f"{said}that they have left")


@CONTRACT.server("a name that is taken", Topic.INPUT, Mistake.SHARED_STATE)
async def nameThatIsTaken(server: Server) -> None:
    """Somebody gives the name of a member. Whatever comes of that, the member still hears the others."""
    one, other = await room(server, "anna", "bert")
    twin = await server.connect()
    await twin.expect(frame(server.variant, PROMPT))
    await twin.send(frame(server.variant, one.name))
    await twin.anything()
    await other.says("who is who?")
    await one.hears(textOf(Said(other.name, "who is who?")), also=(textOf(Joined(one.name)),))


@CONTRACT.server("names that are none", Topic.INPUT, Mistake.INPUT_KILLS)
async def badNames(server: Server) -> None:
    """An empty name, bytes that are no UTF-8, a name of 3000 bytes. The others are served."""
    for name in (b"", b"\xff\xfe\xc3", b"n" * 3_000):
        connection = await server.connect()
        await connection.expect(frame(server.variant, PROMPT))
        await connection.send(_framed(server.variant, name) or b"\n")
        await connection.wasRead()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("messages that are none", Topic.INPUT, Mistake.INPUT_KILLS)
async def badMessages(server: Server) -> None:
    """An empty message, bytes that are no UTF-8, control characters. The others are served."""
    for message in (b"", b"\xff\xfe\xc3", b"\x1b[2J\0"):
        one, other = await room(server, "anna", "bert")
        await one.connection.send(_framed(server.variant, message) or b"\n")
        await one.connection.wasRead()
        one.connection.close()
        signs = dict.fromkeys((Kind.SILENCE, Kind.ENDED, Kind.RESET), Mistake.INPUT_KILLS)
        await other.connection.expect(_allOf(0, frame(server.variant, textOf(Left(one.name)))), signs=signs)
        other.connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


def _framed(variant: str, data: bytes) -> bytes:
    """Bytes that need not be text, as a message."""
    if variant == "framed":
        return len(data).to_bytes(4, "big") + data
    return data + b"\n" if variant == "line" else data


# Limits


@CONTRACT.server("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH, variants=["framed"])
async def lyingLength(server: Server) -> None:
    """
    A length of four thousand million. The server must not wait for so much: it says so, or closes.
    """
    await _givesUp(server, b"\xff\xff\xff\xff", Mistake.TRUSTS_LENGTH)


@CONTRACT.server("a line without end", Topic.LIMITS, Mistake.NO_LIMIT, variants=["line"])
async def endlessLine(server: Server) -> None:
    """A mebibyte without a newline. A server has to give up at some point: it says so, or closes."""
    await _givesUp(server, b"x" * 2**20, Mistake.NO_LIMIT)


async def _givesUp(server: Server, endless: bytes, mistake: Mistake) -> None:
    (one,) = await room(server, "anna")
    await one.connection.send(endless)
    if not await one.connection.anything() and one.connection.ended is None:
        raise server.fail("a sentence, or the end of the connection", "it goes on reading", mistake)
    one.connection.close()
    await stillServes(server, mistake)


@CONTRACT.server("thirty without a name", Topic.LIMITS, Mistake.ONE_CLIENT)
async def thirtyWithoutName(server: Server) -> None:
    """Thirty connect and say nothing. Those who give a name are served all the same."""
    for _ in range(30):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Clients


def _typed(client: Client, text: str) -> Expectation:
    """A message of the client. In the plain framing a newline may stand behind it, or be missing."""
    if client.variant == "framed":
        pattern = re.escape(frame("framed", text))
    elif client.variant == "line":
        pattern = re.escape(text.encode()) + rb"\r?\n"
    else:
        pattern = rb"[\r\n]*" + re.escape(text.encode())
    return matching(pattern, f"the message {text!r}", frame(client.variant, text))


async def _comesIn(client: Client) -> tuple[Connection, str]:
    """The client connects, is asked, gives the name that is typed, and is told that it has joined."""
    name = f"anna{client.random.randrange(10_000, 100_000)}"
    client.type(f"{name}\n")
    connection = await client.connects()
    await connection.send(frame(client.variant, PROMPT))
    await connection.wasRead()
    await connection.expect(_typed(client, name), words=f"the name, {name}")
    await _hears(client, connection, textOf(Joined(name)))
    return connection, name


async def _hears(client: Client, connection: Connection, text: str, signs: Signs = NO_SIGNS) -> None:
    await connection.send(frame(client.variant, text))
    await client.prints(text, signs=signs)


@CONTRACT.client("two talk", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def clientTalks(client: Client) -> None:
    """The client gives its name, sends what is typed, and prints what others say."""
    connection, _ = await _comesIn(client)
    client.type("hello\n")
    await connection.expect(_typed(client, "hello"))
    await _hears(client, connection, "[bert] hello yourself")


@CONTRACT.client("others talk, and nobody types", Topic.STALL, Mistake.TAKES_TURNS)
async def othersTalk(client: Client) -> None:
    """Three messages come while nobody types. All of them are shown when they come."""
    connection, _ = await _comesIn(client)
    for number in range(3):
        await client.pause(_GAP)
        await _hears(client, connection, f"[bert] message {number}")


@CONTRACT.client("somebody types, and nobody talks", Topic.STALL, Mistake.TAKES_TURNS)
async def nobodyTalks(client: Client) -> None:
    """Three lines are typed while no message comes. All of them are sent when they are typed."""
    connection, _ = await _comesIn(client)
    for number in range(3):
        client.type(f"line {number}\n")
        await connection.expect(_typed(client, f"line {number}"))


@CONTRACT.client("messages one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED)
async def messageByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: a message may arrive in any pieces, down to single bytes."""
    connection, _ = await _comesIn(client)
    for text in ("[bert] slowly", "[bert] does it"):
        await connection.send(frame(client.variant, text), pieces=1)
        await client.prints(text)


@CONTRACT.client("three messages in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV, variants=DELIMITED)
async def messagesInOnePiece(client: Client) -> None:
    """Three messages may arrive together: they are still three messages."""
    connection, _ = await _comesIn(client)
    texts = [f"[bert] message {number}" for number in range(3)]
    messages = [frame(client.variant, text) for text in texts]
    await connection.send(*messages)
    for text in texts:
        await client.prints(text)


@CONTRACT.client("a character in two pieces", Topic.SEGMENTATION, Mistake.DECODE_SPLIT, variants=DELIMITED)
async def clientCharacterInTwo(client: Client) -> None:
    """The bytes of one character come in several pieces."""
    connection, _ = await _comesIn(client)
    message = frame(client.variant, f"[bert] {UNICODE}")
    await connection.send(message, cuts=[at for at, byte in enumerate(message) if byte & 0xC0 == 0x80])
    await client.prints(f"[bert] {UNICODE}")


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.FORMAT)
async def slowServer(client: Client) -> None:
    """The question for the name comes half a second late, and what follows as well."""
    client.type("anna12345\n")
    connection = await client.connects()
    await client.pause(0.5)
    await connection.send(frame(client.variant, PROMPT))
    await connection.expect(_typed(client, "anna12345"))
    await client.pause(0.5)
    await _hears(client, connection, textOf(Joined("anna12345")))


@CONTRACT.client("/quit", Topic.PLAIN, Mistake.QUIT_IGNORED)
async def clientQuits(client: Client) -> None:
    """The client closes, or tells the server, which closes. Then it ends."""
    connection, _ = await _comesIn(client)
    client.type("/quit\n")
    if not await connection.anything() and connection.ended is None:
        raise client.fail("/quit, or the end of the connection", "neither", Mistake.QUIT_IGNORED)
    connection.close()
    client.endInput()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nothing more is typed", Topic.HALF_CLOSE, Mistake.UNCAUGHT)
async def inputEnds(client: Client) -> None:
    """
    The end of the keyboard's input (Ctrl-D): input() raises EOFError. The client leaves: it ends the
    connection, or what it sends.
    """
    connection, _ = await _comesIn(client)
    client.endInput()
    if not await connection.anything() and connection.ended is None:
        raise client.fail("the end of what it sends", "it stays", Mistake.NO_END)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the server ends", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def serverEnds(client: Client) -> None:
    """The server closes: recv returns b''. When one more line has been typed the client has ended."""
    connection, _ = await _comesIn(client)
    connection.close()
    await client.settles()
    client.type("anybody?\n")
    client.endInput()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the server breaks off", Topic.RESET, Mistake.UNCAUGHT)
async def serverBreaksOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection, _ = await _comesIn(client)
    connection.reset()
    await client.settles()
    client.type("anybody?\n")
    client.endInput()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    client.type("anna\n")
    client.endInput()
    await client.ends()


@CONTRACT.client("bytes that are no text", Topic.INPUT, Mistake.UNCAUGHT)
async def noText(client: Client) -> None:
    """A message with bytes that are no UTF-8. However it is shown, the next ones are shown as well."""
    connection, _ = await _comesIn(client)
    await connection.send(_framed(client.variant, b"[bert] \xff\xfe\xc3!"))
    await connection.wasRead()
    await client.pause(_GAP)
    await _hears(client, connection, "[bert] as I said")
