"""
The echo's contract: what a server and a client of each style have to bear, over TCP and UDP.

The bytes are those of C{docs/protocols/echo.md}. A plain echo answers what each of its reads delivered, so
it is left open in how many answers a message comes back, and with C{prefix} between which bytes the
prefix stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Address
from labnet.check.evidence import Failed, Kind, Signs, decisive
from labnet.check.expectation import Expectation, Mismatch, exactly, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together
from labnet.echo.wire import DATAGRAM_ACK, LONGEST_FRAME, PREFIX, STREAM_ACK, Style, upper
from labnet.net.framing import FramingError, LengthPrefixed

CONTRACT = Contract("echo", (*(style.value for style in Style), "framed"))

UDP = ("udp",)
PLAIN = ("prefix", "upper", "raw")
FRAMED = ("framed",)
#: All that give back what they get, for as long as the connection lives.
LASTING = (*PLAIN, *FRAMED)
TEXT = ("prefix", "upper", "ack")
DATAGRAMS = (*PLAIN, "ack")

#: Small letters that take one, two, three and four bytes, and so do their capital ones.
LETTERS = (
    "a\N{LATIN SMALL LETTER O WITH DOUBLE ACUTE}\N{COPTIC SMALL LETTER ALFA}"
    "\N{DESERET SMALL LETTER LONG I}z"
)
SPACED = b"  two  words \n"


# What is said, and what is to come back


def framed(message: bytes) -> bytes:
    """A message with its length in front."""
    return LengthPrefixed(LONGEST_FRAME).encode(message)


def sent(variant: str, message: bytes) -> bytes:
    """What a client sends."""
    return framed(message) if variant == "framed" else message


def answered(variant: str, message: bytes) -> bytes:
    """What comes back over TCP for a message that was read in one piece."""
    return {
        "prefix": PREFIX + message, "upper": upper(message), "ack": STREAM_ACK, "raw": message,
        "framed": framed(message),
    }[variant]  # fmt: skip


def datagramAnswered(variant: str, message: bytes) -> bytes:
    """The same over UDP."""
    return DATAGRAM_ACK if variant == "ack" else answered(variant, message)


def coming(variant: str, message: bytes) -> Expectation:
    """What comes back, in whatever pieces the message was read. With C{prefix} it must have no C{E}."""
    whole = answered(variant, message)
    text = {
        "prefix": "the message, with 'Echo: ' in front", "upper": "the message, in upper case",
        "ack": "'Message received!'", "raw": "the message",
        "framed": "the message, with its length in front",
    }[variant]  # fmt: skip
    if variant != "prefix":
        return exactly(whole, text)

    def take(data: bytes, ended: bool) -> int | None:
        at = found = 0
        if not PREFIX.startswith(data[: len(PREFIX)]):
            raise Mismatch(decisive(PREFIX, data))
        while found < len(message):
            rest = data[at : at + len(PREFIX)]
            if rest == PREFIX:
                at += len(PREFIX)
            elif PREFIX.startswith(rest):
                return None
            elif data[at] != message[found]:
                raise Mismatch(at)
            else:
                at, found = at + 1, found + 1
        return at

    return taken(take, text, whole)


def words(server: Server, count: int = 1) -> list[bytes]:
    """Some messages of small letters, as the dice fall."""
    letters = "abcdfghijklmnopqrstuvwxyz"
    return ["".join(server.random.choices(letters, k=12)).encode() for _ in range(count)]


async def say(connection: Connection, variant: str, message: bytes, signs: Signs = NO_SIGNS) -> None:
    """Say something in one piece, and wait for the answer."""
    await connection.send(sent(variant, message))
    await connection.expect(coming(variant, message), signs=signs)


async def stillServes(server: Server, mistake: Mistake, more: Signs = NO_SIGNS) -> None:
    """Somebody else connects, says something, and is answered."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    signs |= {Kind.OTHER: Mistake.SHARED_STATE, **more}
    connection = await server.connect(signs=signs, words="that another client is still served")
    await say(connection, server.variant, words(server)[0], signs)
    connection.close()


# Servers over TCP: plain use


@CONTRACT.server("one message", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def oneMessage(server: Server) -> None:
    """A client connects, says something, and reads the answer. Everything else stands on this."""
    connection = await server.connect()
    try:
        await say(connection, server.variant, b"hello there", {Kind.SILENCE: Mistake.SILENT})
    except Failed as failed:
        if failed.kind is Kind.SILENCE:
            failed.mistake = await _whySilent(server, connection)
        raise


async def _whySilent(server: Server, connection: Connection) -> Mistake:
    """Whether the end of the stream makes it answer, or a length with its bytes in the other order."""
    connection.halfClose()
    if await connection.anything():
        return Mistake.WAITS_FOR_END
    if server.variant == "framed":
        turned = await server.connect()
        await turned.send(framed(b"hello")[3::-1] + b"hello")
        if await turned.anything():
            return Mistake.BYTE_ORDER
    return Mistake.SILENT


@CONTRACT.server("the end behind the answer", Topic.PLAIN, Mistake.NO_CLOSE, variants=["ack"])
async def endBehindTheAnswer(server: Server) -> None:
    """One sentence for each connection: the server says it, and then ends what it sends."""
    connection = await server.connect()
    await say(connection, server.variant, b"hello there")
    await connection.expectEnd()


@CONTRACT.server("several on one connection", Topic.PLAIN, Mistake.ONE_REQUEST, variants=LASTING)
async def severalOnOneConnection(server: Server) -> None:
    """A client may say as much as it likes before it leaves."""
    connection = await server.connect()
    for message in words(server, 5):
        await say(connection, server.variant, message, {Kind.OTHER: Mistake.EXTRA})


@CONTRACT.server("nothing but the answer", Topic.PLAIN, Mistake.EXTRA, variants=LASTING)
async def nothingButTheAnswer(server: Server) -> None:
    """The answer has the bytes of the message and no others: no newline, no zero, nothing at the end."""
    connection = await server.connect()
    await say(connection, server.variant, b"hello there")
    connection.halfClose()
    more = await connection.anything()
    if more:
        mistake = Mistake.IGNORES_END if more.startswith((PREFIX, bytes(4))) else Mistake.EXTRA
        raise server.fail("nothing behind the answer", f"{len(more)} bytes more: {more[:40]!r}", mistake)


@CONTRACT.server("spaces and a newline", Topic.PLAIN, Mistake.ALTERED, variants=LASTING)
async def spacesAndNewline(server: Server) -> None:
    """Spaces at both ends, two in the middle, and a newline belong to the message like all other bytes."""
    await say(await server.connect(), server.variant, SPACED)


@CONTRACT.server("letters of other alphabets", Topic.PLAIN, Mistake.WRONG_RESULT, variants=["upper"])
async def otherAlphabets(server: Server) -> None:
    """The upper case is Unicode's, of text in UTF-8: not only a to z have one."""
    await say(await server.connect(), server.variant, LETTERS.encode())


@CONTRACT.server("bytes that are no text", Topic.PLAIN, Mistake.ALTERED, variants=["raw", "framed"])
async def everyByte(server: Server) -> None:
    """Each byte from 0 to 255 comes back: an echo does not ask what they mean."""
    await say(await server.connect(), server.variant, bytes(range(256)))


# Segmentation


@CONTRACT.server("cut within a character", Topic.SEGMENTATION, Mistake.DECODE_SPLIT, variants=PLAIN)
async def cutWithinCharacter(server: Server) -> None:
    """A letter may take four bytes, and TCP may cut between them. All of them are given back."""
    message = LETTERS.encode()
    for place in range(1, len(message)):
        connection = await server.connect()
        await connection.send(message, cuts=[place])
        await connection.expect(coming(server.variant, message))
        connection.close()


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=LASTING)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a message may arrive in any pieces, down to single bytes."""
    connection = await server.connect()
    for message in words(server, 2):
        await connection.send(sent(server.variant, message), pieces=1)
        await connection.expect(coming(server.variant, message))


@CONTRACT.server("cut at every place", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=FRAMED)
async def cutEverywhere(server: Server) -> None:
    """A message in two pieces, cut once at each place, also within its length."""
    (message,) = words(server)
    for place in range(1, len(message) + 4):
        connection = await server.connect()
        await connection.send(framed(message), cuts=[place])
        await connection.expect(
            coming(server.variant, message), words=f"the message, cut behind byte {place}"
        )
        connection.close()


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV, variants=LASTING)
async def twoInOnePiece(server: Server) -> None:
    """Two messages, sent without waiting, may arrive in one piece. Nothing of them may be lost."""
    one, other = words(server, 2)
    connection = await server.connect()
    await connection.send(sent(server.variant, one), sent(server.variant, other))
    if server.variant != "framed":
        await connection.expect(coming(server.variant, one + other), words="all of both messages")
        return
    await connection.expect(framed(one), words="the first message")
    await connection.expect(framed(other), words="the second message")


@CONTRACT.server("one and a half in one piece", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=FRAMED)
async def oneAndHalf(server: Server) -> None:
    """The end of a piece is no end of a message: what is there of the second one is kept for later."""
    one, other = words(server, 2)
    connection = await server.connect()
    await connection.send(framed(one), framed(other), cuts=[len(framed(one)) + 2])
    await connection.expect(framed(one), words="the first message")
    await connection.expect(framed(other), words="the second message")


# Slow peers, and the ends of streams


@CONTRACT.server("much is said, then it is read", Topic.SLOW, Mistake.SEND_PART, variants=["raw", "framed"])
async def lateReader(server: Server) -> None:
    """
    A client says much and reads nothing for a while: the system takes no more of the answers. Nothing may
    be lost of them.
    """
    letters = "".join(server.random.choices("abcdefgh", k=60_000)).encode()
    messages = [b"%d%b" % (number, letters) for number in range(1, 101)]
    signs = dict.fromkeys(Kind, Mistake.SHORT_RECV)
    connection = await server.connect()
    await connection.send(sent(server.variant, messages[0]), pieces=25_000)
    await connection.expect(coming(server.variant, messages[0]), signs=signs)
    connection = await server.connect()
    connection.stopReading()
    await connection.send(*(sent(server.variant, message) for message in messages))
    await connection.isFull()
    connection.startReading()
    for number, message in enumerate(messages, 1):
        await connection.expect(sent(server.variant, message), words=f"60000 letters, part {number} of 100")


@CONTRACT.server("half-closed behind the message", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """
    With shutdown(SHUT_WR) a client says that this was all. It still waits for the answer, and then for the
    end of the connection.
    """
    (message,) = words(server)
    connection = await server.connect()
    await connection.send(sent(server.variant, message))
    connection.halfClose()
    await connection.expect(coming(server.variant, message))
    await connection.expectEnd(signs=dict.fromkeys((Kind.STAYED, Kind.EXTRA), Mistake.IGNORES_END))


@CONTRACT.server("the end in the middle of a message", Topic.HALF_CLOSE, Mistake.CUT_KILLS, variants=FRAMED)
async def endInTheMiddle(server: Server) -> None:
    """A client leaves within the length, and within the message. The server goes on with the others."""
    mistake = Mistake.SHARED_STATE
    for size in (2, 9):
        connection = await server.connect()
        await connection.send(framed(b"hello there")[:size])
        await connection.wasRead()
        connection.halfClose()
        if not await connection.anything() and connection.ended is None:
            mistake = Mistake.IGNORES_END
        connection.close()
    await stillServes(server, Mistake.CUT_KILLS, {Kind.SILENCE: mistake})


@CONTRACT.server("gone without a word", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def goneWithoutWord(server: Server) -> None:
    """A client connects and leaves, as a port scanner does. There is nothing to answer."""
    for _ in range(3):
        (await server.connect()).close()
    await stillServes(server, Mistake.CUT_KILLS)


# Broken connections


@CONTRACT.server("broken off in the middle", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """
    A client crashes, or its cable is cut: recv raises ConnectionResetError. The others must not notice.
    """
    (message,) = words(server)
    connection = await server.connect()
    if server.variant != "ack":
        await say(connection, server.variant, message)
    connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("broken off before the answer", Topic.RESET, Mistake.RESET_KILLS)
async def resetBeforeTheAnswer(server: Server) -> None:
    """A client is gone before it can be answered: then send raises an exception."""
    for message in words(server, 5):
        connection = await server.connect()
        await connection.send(sent(server.variant, message) * 3)
        connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """
    Whoever mends a server starts it again at once. The port must be free for it, also after it has closed a
    connection itself.
    """
    connection = await server.connect()
    await say(connection, server.variant, words(server)[0])
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients are connected at the same time. None of them waits for another."""
    connections = [await server.connect() for _ in range(20)]
    rounds = 1 if server.variant == "ack" else 3

    async def converse(connection: Connection, messages: list[bytes]) -> None:
        for message in messages:
            await say(connection, server.variant, message)

    # The last one begins.
    await together(*(converse(connection, words(server, rounds)) for connection in reversed(connections)))


@CONTRACT.server("two talk in turns", Topic.MANY, Mistake.SHARED_STATE, variants=LASTING)
async def inTurns(server: Server) -> None:
    """Two clients send halves of their messages in turns. Each connection is a stream of its own."""
    one, other = words(server, 2)
    first, second = await server.connect(), await server.connect()
    signs = {Kind.SILENCE: Mistake.ONE_CLIENT, Kind.ENDED: Mistake.SHORT_RECV}
    for half in (slice(7), slice(7, None)):
        for connection, message in ((first, one), (second, other)):
            await connection.send(sent(server.variant, message)[half])
            await connection.wasRead()
    await first.expect(coming(server.variant, one), words="the first client's message", signs=signs)
    await second.expect(coming(server.variant, other), words="the second client's message", signs=signs)


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A client connects, and does nothing. Another one must be served meanwhile, and then the first."""
    stalled = await server.connect()
    (message,) = words(server)
    half = 2 if server.variant == "framed" else 0
    if half:
        await stalled.send(framed(message)[:half])
        await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)
    await stalled.send(sent(server.variant, message)[half:])
    signs = {Kind.ENDED: Mistake.SHORT_RECV}
    await stalled.expect(
        coming(server.variant, message), words="the first client's, in the end", signs=signs
    )


@CONTRACT.server(
    "one does not read, another works", Topic.STALL, Mistake.ONE_CLIENT, variants=["raw", "framed"]
)
async def oneDoesNotRead(server: Server) -> None:
    """
    A client says much and never reads. In the end send can only wait for it; the others must not wait with
    it.
    """
    stalled = await server.connect()
    stalled.stopReading()
    await stalled.send(sent(server.variant, bytes(60_000)) * 100)
    await stalled.isFull()
    await stillServes(server, Mistake.ONE_CLIENT)
    stalled.reset()
    await stillServes(server, Mistake.RESET_KILLS)


# Bad input, and limits


@CONTRACT.server("what is no UTF-8", Topic.INPUT, Mistake.INPUT_KILLS, variants=TEXT)
async def noText(server: Server) -> None:
    """Bytes that are no text. Whatever the answer is, the server goes on with the others."""
    for message in (b"\xff\xfe\xfd", b"caf\xe9 au lait", b"\0\x1b[31m"):
        connection = await server.connect()
        await connection.send(message)
        connection.halfClose()
        await connection.anything()
        connection.close()
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("an empty message", Topic.INPUT, Mistake.EMPTY_MESSAGE, variants=FRAMED)
async def emptyMessage(server: Server) -> None:
    """A length of 0, and nothing behind it, is a message: it comes back, and so does the next one."""
    connection = await server.connect()
    await say(connection, server.variant, b"")
    await say(connection, server.variant, words(server)[0])


@CONTRACT.server("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH, variants=FRAMED)
async def lyingLength(server: Server) -> None:
    """
    Four thousand million bytes are announced, and a byte more than may be. The server must not make room
    for so much, nor wait for it at the cost of others.
    """
    for length in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x10\x00\x01"):
        connection = await server.connect()
        await connection.send(length + b"hello")
        await connection.wasRead()
        await stillServes(server, Mistake.TRUSTS_LENGTH)
        connection.close()


@CONTRACT.server("a long message", Topic.LIMITS, Mistake.FIXED_BUFFER, variants=["upper", "raw", "framed"])
async def longMessage(server: Server) -> None:
    """100000 bytes in one message, more than one recv delivers: all of it comes back."""
    message = "".join(server.random.choices("abcd", k=100_000)).encode()
    await say(await server.connect(), server.variant, message)


@CONTRACT.server("a long message", Topic.LIMITS, Mistake.EARLY_CLOSE, variants=["ack"])
async def longMessageIsReceived(server: Server) -> None:
    """
    100000 bytes are being sent when the server answers, and closes. The answer must not be lost because of
    that: who closes over unread input breaks the connection off.
    """
    connection = await server.connect()
    await connection.send(bytes(100_000))
    await connection.expect(
        STREAM_ACK, words="'Message received!'", signs={Kind.RESET: Mistake.EARLY_CLOSE}
    )
    connection.halfClose()
    await connection.expectEnd(signs={Kind.RESET: Mistake.EARLY_CLOSE, Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("fifty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Fifty clients are connected and say nothing. The one that does is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Servers over UDP


async def _asks(server: Server, message: bytes, signs: Signs = NO_SIGNS) -> None:
    asking = server.datagrams()
    asking.send(message)
    answer = datagramAnswered(server.variant, message)
    await asking.expect(answer, words=f"a datagram of {len(answer)} bytes", signs=signs)


async def _stillAnswers(server: Server, mistake: Mistake) -> None:
    await _asks(server, words(server)[0], dict.fromkeys((Kind.REFUSED, Kind.SILENCE), mistake))


@CONTRACT.server(
    "one datagram", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=DATAGRAMS, basis=True
)
async def oneDatagram(server: Server) -> None:
    """A client says something in one datagram, and reads the answer in another."""
    await _asks(server, b"hello there", {Kind.EXTRA: Mistake.EXTRA, Kind.SILENCE: Mistake.SILENT})


@CONTRACT.server(
    "spaces and a newline, in a datagram", Topic.PLAIN, Mistake.ALTERED, transports=UDP, variants=PLAIN
)
async def spacesInDatagram(server: Server) -> None:
    """Spaces at both ends, two in the middle, and a newline belong to the message like all other bytes."""
    await _asks(server, SPACED, {Kind.SILENCE: Mistake.WRONG_ADDRESS})


@CONTRACT.server(
    "twenty clients ask at once", Topic.MANY, Mistake.WRONG_ADDRESS, transports=UDP, variants=DATAGRAMS
)
async def manyAsk(server: Server) -> None:
    """Twenty sockets ask before the first of them is answered. Each gets the answer to its own message."""
    messages = words(server, 20)
    sockets = [server.datagrams() for _ in messages]
    for asking, message in zip(sockets, messages, strict=True):
        asking.send(message)
    for asking, message in zip(sockets, messages, strict=True):
        await asking.expect(
            datagramAnswered(server.variant, message), words="the answer to its own message"
        )


@CONTRACT.server(
    "an empty datagram", Topic.INPUT, Mistake.EMPTY_MESSAGE, transports=UDP, variants=DATAGRAMS
)
async def emptyDatagram(server: Server) -> None:
    """A datagram without a byte is a message like any other: it is answered, and the server goes on."""
    await _asks(server, b"")
    await _stillAnswers(server, Mistake.EMPTY_MESSAGE)


@CONTRACT.server(
    "a datagram that is no UTF-8", Topic.INPUT, Mistake.INPUT_KILLS, transports=UDP, variants=DATAGRAMS
)
async def noTextInDatagram(server: Server) -> None:
    """Bytes that are no text. Whatever the answer is, the server goes on."""
    for message in (b"\xff\xfe\xfd", b"caf\xe9 au lait"):
        server.datagrams().send(message)
        await _stillAnswers(server, Mistake.INPUT_KILLS)


@CONTRACT.server(
    "a datagram of 1400 bytes", Topic.LIMITS, Mistake.FIXED_BUFFER, transports=UDP, variants=DATAGRAMS
)
async def longDatagram(server: Server) -> None:
    """A datagram that fits a packet of Ethernet. It comes back whole, and so does one of 8000 bytes."""
    for size in (1_400, 8_000):
        await _asks(server, b"x" * size)


# Clients


async def _message(connection: Connection, client: Client) -> bytes:
    """What the client says next."""
    if client.variant != "framed":
        message = await connection.anything()
        if not message:
            raise client.fail("that the client says something", "nothing came", Mistake.SILENT)
        return message
    found: list[bytes] = []

    def take(data: bytes, ended: bool) -> int | None:
        length = int.from_bytes(data[:4], "big")
        try:
            found.extend(LengthPrefixed(LONGEST_FRAME).feed(data[: 4 + length]))
        except FramingError as error:
            raise Mismatch(0) from error
        return 4 + length if found else None

    wanted = taken(take, "a message with its length in front", framed(b"hello"))
    await connection.expect(wanted, signs=dict.fromkeys((Kind.OTHER, Kind.PART), Mistake.FORMAT))
    return found[0]


def _shown(client: Client, message: bytes) -> str:
    """What the client prints for it."""
    answer = message if client.variant == "framed" else answered(client.variant, message)
    return answer.decode("utf-8", "backslashreplace").strip()


Reply = Callable[[Connection, bytes], Awaitable[None]]


async def _served(client: Client, reply: Reply, signs: Signs = NO_SIGNS) -> None:
    """Answer everything that the client says in the same awkward way; it has to print every answer."""
    connection = await client.connects()
    while True:
        message = await _message(connection, client)
        printed = len(client.program.stdout)
        await reply(connection, answered(client.variant, message))
        if client.variant == "ack":
            connection.halfClose()
        text = _shown(client, message)
        await client.prints(text, since=printed, words=f"that it prints {text!r}", signs=signs)
        if not await connection.more():
            return


@CONTRACT.client("one message", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def clientSays(client: Client) -> None:
    """The client says something, the server answers at once and in one piece, the client prints it."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(answer)

    await _served(client, reply)


@CONTRACT.client("the answer cut within a character", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def answerCutInCharacter(client: Client) -> None:
    """
    A letter may take four bytes, and an answer that has some may be cut between them. Only a client that
    is started with a message that has some can show it.
    """

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(
            answer, cuts=[at for at, byte in enumerate(answer) if 0x80 <= byte < 0xC0][:1]
        )

    try:
        await _served(client, reply)
    except Exception:
        if b"UnicodeDecodeError" in client.program.stderr or "\ufffd".encode() in client.program.stdout:
            raise client.fail("the answer", "it could not be decoded", Mistake.DECODE_SPLIT) from None
        raise


@CONTRACT.client("the answer one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def answerByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(answer, pieces=1)

    await _served(client, reply)


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.SILENT)
async def slowAnswer(client: Client) -> None:
    """The answer comes half a second later. That is no error."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await client.pause(0.5)
        await connection.send(answer)

    await _served(client, reply)


@CONTRACT.client("the answer and the end at once", Topic.HALF_CLOSE, Mistake.HALF_ANSWER)
async def answerAndEnd(client: Client) -> None:
    """The server answers, and ends the connection right behind it. The client has it all, and ends."""
    connection = await client.connects()
    message = await _message(connection, client)
    printed = len(client.program.stdout)
    await connection.send(answered(client.variant, message))
    connection.halfClose()
    await client.prints(_shown(client, message), since=printed)
    await client.ends(cleanly=False, signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the end in place of an answer", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def endInPlaceOfAnswer(client: Client) -> None:
    """The server ends the connection without an answer: recv returns b''. The client ends, too."""
    connection = await client.connects()
    await _message(connection, client)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client(
    "the end in the middle of an answer", Topic.HALF_CLOSE, Mistake.HALF_ANSWER, variants=FRAMED
)
async def endInTheMiddleOfAnswer(client: Client) -> None:
    """
    Twenty bytes are announced, six come, and then the end. The client ends, and shows no part as if it
    were the answer.
    """
    connection = await client.connects()
    await _message(connection, client)
    printed = len(client.program.stdout)
    await connection.send(framed(b"chopstick is no word")[:10])
    await connection.wasRead()
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    if b"chopst" in client.program.stdout[printed:]:
        raise client.fail("that it says that there is no answer", "it printed a part", Mistake.HALF_ANSWER)


@CONTRACT.client("broken off before the answer", Topic.RESET, Mistake.UNCAUGHT)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection = await client.connects()
    await _message(connection, client)
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH, variants=FRAMED)
async def lyingServer(client: Client) -> None:
    """Four thousand million bytes are announced. The client says that this can not be, and ends."""
    connection = await client.connects()
    await _message(connection, client)
    await connection.send(b"\xff\xff\xff\xff" + b"hello")
    await client.ends(patient=True, signs={Kind.STAYED: Mistake.TRUSTS_LENGTH})


# Clients over UDP


async def _asked(client: Client) -> tuple[bytes, str, Address]:
    """The answer to what the client asks, what it prints then, and who it is."""
    message, sender = await client.asks()
    answer = datagramAnswered(client.variant, message)
    return answer, answer.decode("utf-8", "backslashreplace").strip(), sender


@CONTRACT.client(
    "one datagram", Topic.PLAIN, Mistake.FORMAT, transports=UDP, variants=DATAGRAMS, basis=True
)
async def clientAsks(client: Client) -> None:
    """The client says something in one datagram, gets the answer in another, and prints it."""
    answer, text, sender = await _asked(client)
    printed = len(client.program.stdout)
    client.datagrams.send(answer, sender)
    await client.prints(text, since=printed)


@CONTRACT.client("a lost datagram", Topic.SLOW, Mistake.NO_TIMEOUT, transports=UDP, variants=DATAGRAMS)
async def lostDatagram(client: Client) -> None:
    """
    The message is lost on the way. The client says it again after a while, or says that there is no answer.
    """
    await client.asks()
    await client.asksAgainOrEnds(mistake=Mistake.NO_TIMEOUT)


@CONTRACT.client(
    "an answer from a stranger", Topic.INPUT, Mistake.ANY_SENDER, transports=UDP, variants=DATAGRAMS
)
async def answerFromStranger(client: Client) -> None:
    """Somebody else sends a forged answer first. The client takes the one of the server it has asked."""
    answer, text, sender = await _asked(client)
    printed = len(client.program.stdout)
    client.stranger().send(b"forged by a stranger", sender)
    client.datagrams.send(answer, sender)
    await client.prints(text, since=printed)
