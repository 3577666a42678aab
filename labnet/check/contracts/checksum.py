"""
The contract of the checksum server: what it and its clients have to bear.

The bytes are those of C{docs/protocols/netcopy.md}. A C{KI} request ends with a silence, so nobody has to
put one together from pieces.
"""

from __future__ import annotations

import re

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Kind, Signs
from labnet.check.expectation import exactly, matching
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together
from labnet.netcopy.wire import encodeAnnouncement, encodeLookup

CONTRACT = Contract("checksum")

DIGEST = b"d41d8cd98f00b204e9800998ecf8427e"
_NONE = exactly(b"0|", "0|, there is none")


def _name(server: Server) -> bytes:
    """An identifier that nobody has used."""
    return b"check-%d" % server.random.randrange(10**9)


def _kept(checksum: bytes) -> bytes:
    return b"%d|%b" % (len(checksum), checksum)


async def announce(
    server: Server, name: bytes, checksum: bytes = DIGEST, seconds: int = 60, signs: Signs = NO_SIGNS
) -> None:
    """Announce a checksum, on a connection of its own."""
    connection = await server.connect(signs=signs)
    await connection.send(encodeAnnouncement(name, seconds, checksum))
    await connection.expect(b"OK", words="OK", signs=signs)
    connection.close()


async def lookUp(
    server: Server, name: bytes, checksum: bytes | None = DIGEST, signs: Signs = NO_SIGNS
) -> None:
    """Ask for a checksum, on a connection of its own."""
    connection = await server.connect(signs=signs)
    await connection.send(encodeLookup(name))
    wanted = _NONE if checksum is None else exactly(_kept(checksum), "the length and the checksum")
    await connection.expect(wanted, signs=signs)
    connection.close()


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else announces, and somebody asks."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    signs[Kind.OTHER] = Mistake.SHARED_STATE
    name = _name(server)
    await announce(server, name, signs=signs)
    await lookUp(server, name, signs=signs)


# Servers: plain use


@CONTRACT.server("one checksum", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def oneChecksum(server: Server) -> None:
    """One client announces a checksum, another one asks for it. Everything else stands on this."""
    name = _name(server)
    await announce(server, name)
    await lookUp(server, name)


@CONTRACT.server("asked for twice", Topic.PLAIN, Mistake.WRONG_RESULT)
async def askedForTwice(server: Server) -> None:
    """To ask removes nothing. A later announcement takes the place of an earlier one."""
    name = _name(server)
    await announce(server, name)
    await lookUp(server, name)
    await lookUp(server, name)
    await announce(server, name, DIGEST[::-1])
    await lookUp(server, name, DIGEST[::-1])


@CONTRACT.server("one that is not there", Topic.PLAIN, Mistake.FORMAT)
async def notThere(server: Server) -> None:
    """There is no checksum of that name: 0|."""
    signs = dict.fromkeys((Kind.ENDED, Kind.RESET, Kind.SILENCE), Mistake.INPUT_KILLS)
    await lookUp(server, _name(server), None, signs)
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("one whose time is over", Topic.PLAIN, Mistake.WRONG_RESULT)
async def timeIsOver(server: Server) -> None:
    """It is kept for so many seconds: one for 0 seconds is over at once."""
    name = _name(server)
    await announce(server, name, seconds=0)
    await lookUp(server, name, None)


@CONTRACT.server("several on one connection", Topic.PLAIN, Mistake.ONE_REQUEST)
async def severalOnOneConnection(server: Server) -> None:
    """A connection may carry several requests, one after another."""
    name = _name(server)
    connection = await server.connect()
    signs = {Kind.OTHER: Mistake.EXTRA}
    for _ in range(2):
        await connection.send(encodeAnnouncement(name, 60, DIGEST))
        await connection.expect(b"OK", words="OK", signs=signs)
        await connection.send(encodeLookup(name))
        await connection.expect(_kept(DIGEST), words="the length and the checksum", signs=signs)


@CONTRACT.server("a checksum of any bytes", Topic.INPUT, Mistake.ALTERED)
async def anyBytes(server: Server) -> None:
    """A checksum may be any bytes, also | and what is no text. Its length says where it ends."""
    for checksum in (b"a|b|c", b"\xff\xfe\x00|\x80", b" x \n"):
        name = _name(server)
        await announce(server, name, checksum)
        await lookUp(server, name, checksum)


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: an announcement may arrive in any pieces, down to single bytes."""
    name = _name(server)
    connection = await server.connect()
    await connection.send(encodeAnnouncement(name, 60, DIGEST), pieces=1)
    await connection.expect(b"OK", words="OK")
    connection.close()
    await lookUp(server, name)


@CONTRACT.server("cut at some places", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def cutSomewhere(server: Server) -> None:
    """An announcement in two pieces: in the name, in the length, in the checksum."""
    name = _name(server)
    request = encodeAnnouncement(name, 60, DIGEST)
    for place in (1, 5, len(request) - 34, len(request) - 10, len(request) - 1):
        connection = await server.connect()
        await connection.send(request, cuts=[place])
        await connection.expect(b"OK", words=f"OK, when it is cut behind byte {place}")
        connection.close()


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def twoInOnePiece(server: Server) -> None:
    """Two announcements may arrive together: both are kept, and both are answered."""
    one, other = _name(server), _name(server)
    connection = await server.connect()
    await connection.send(encodeAnnouncement(one, 60, DIGEST), encodeAnnouncement(other, 60, DIGEST[::-1]))
    await connection.expect(b"OKOK", words="OK for each of them")
    connection.close()
    await lookUp(server, one)
    await lookUp(server, other, DIGEST[::-1])


# Slow clients, and ends


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.SHORT_RECV)
async def pauseInTheMiddle(server: Server) -> None:
    """A slow network: the second half of an announcement comes a third of a second after the first."""
    request = encodeAnnouncement(_name(server), 60, DIGEST)
    connection = await server.connect()
    await connection.send(request[:20])
    await server.pause(0.3)
    await connection.send(request[20:])
    await connection.expect(b"OK", words="OK")


@CONTRACT.server("half-closed after the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a client says that it has asked everything. It still waits for the answer."""
    name = _name(server)
    await announce(server, name)
    connection = await server.connect()
    await connection.send(encodeLookup(name))
    connection.halfClose()
    await connection.expect(_kept(DIGEST), words="the length and the checksum")
    await connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.server("the end in the middle of a request", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def endInTheMiddle(server: Server) -> None:
    """A client leaves in the middle of an announcement. It keeps nothing, and the others are served."""
    name = _name(server)
    connection = await server.connect()
    await connection.send(encodeAnnouncement(name, 60, DIGEST)[:-10])
    await connection.wasRead()
    connection.halfClose()
    await connection.anything()
    connection.close()
    await lookUp(server, name, None, {Kind.OTHER: Mistake.HALF_ANSWER, Kind.REFUSED: Mistake.CUT_KILLS})
    await stillServes(server, Mistake.CUT_KILLS)


@CONTRACT.server("broken off in the middle of a request", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """A client crashes: recv raises ConnectionResetError. The others must not notice."""
    for request in (encodeAnnouncement(_name(server), 60, DIGEST)[:20], encodeLookup(b"x") * 3):
        connection = await server.connect()
        await connection.send(request)
        await connection.wasRead()
        connection.reset()
        await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, also after it has closed a connection itself."""
    connection = await server.connect()
    await connection.send(encodeAnnouncement(_name(server), 60, DIGEST))
    await connection.expect(b"OK", words="OK")
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients announce checksums of their own at the same time, and each of these is kept."""
    names = {_name(server): b"%032x" % number for number in range(20)}
    await together(*(announce(server, name, checksum) for name, checksum in names.items()))
    await together(*(lookUp(server, name, checksum) for name, checksum in names.items()))


@CONTRACT.server("halves of two clients", Topic.MANY, Mistake.SHARED_STATE)
async def interleavedHalves(server: Server) -> None:
    """Two clients send a half of their requests each, then the other halves: two streams."""
    first, second = await server.connect(), await server.connect()
    requests = [encodeAnnouncement(_name(server), 60, digest) for digest in (DIGEST, DIGEST[::-1])]
    pairs = list(zip((first, second), requests, strict=True))
    for connection, request in pairs:
        await connection.send(request[:20])
        await connection.wasRead()
    for connection, request in pairs:
        await connection.send(request[20:])
        await connection.expect(b"OK", words="OK", signs={Kind.SILENCE: Mistake.ONE_CLIENT})


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A client sends half a request, and then does nothing. Another one must be served meanwhile."""
    stalled = await server.connect()
    await stalled.send(encodeAnnouncement(_name(server), 60, DIGEST)[:20])
    await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("fifty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Fifty clients are connected and say nothing. The one that asks is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("requests that are none", Topic.INPUT, Mistake.INPUT_KILLS)
async def noRequest(server: Server) -> None:
    """Other words, numbers that are none, fields that are missing. The others are served."""
    for request in (b"hello\n", b"BE|x|soon|32|", b"BE|x|60|-1|abc", b"KI\n", b"\xff\xfe|x", b"BE||||"):
        connection = await server.connect()
        await connection.send(request)
        await connection.wasRead()
        connection.halfClose()
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH)
async def lyingLength(server: Server) -> None:
    """
    A checksum has 128 bytes at most. One of a thousand million is announced: the server does not wait for
    it, but ends the connection.
    """
    connection = await server.connect()
    await connection.send(b"BE|check|60|999999999|abc")
    if await connection.anything() or connection.ended is None:
        raise server.fail("the end of the connection", "it stays open", Mistake.TRUSTS_LENGTH)
    await stillServes(server, Mistake.TRUSTS_LENGTH)


# Clients: they announce, or they ask


_REQUEST = rb"BE\|[^|]{1,255}\|\d{1,9}\|(?:32\|.{32}|40\|.{40}|64\|.{64}|128\|.{128})|KI\|[^|]{1,255}"


async def _asks(client: Client) -> tuple[Connection, bytes]:
    """The client connects and sends a request; the answer to it."""
    connection = await client.connects()
    sample = encodeAnnouncement(b"1", 60, DIGEST)
    request = await connection.expect(matching(_REQUEST, "a request, BE or KI", sample))
    digest = b"%032x" % client.random.getrandbits(128)
    return connection, b"OK" if request.startswith(b"BE") else _kept(digest)


async def _understands(client: Client, answer: bytes, mistake: Mistake | None = None) -> None:
    """It prints the checksum, if it has asked for one, and ends, although the server does not."""
    if answer != b"OK":
        digest = answer.partition(b"|")[2].decode("ascii")
        signs = {} if mistake is None else {Kind.OUTPUT: mistake}
        await client.prints(digest, words=f"that it prints the checksum {digest}", signs=signs)
    await client.ends(signs={Kind.STAYED: Mistake.WAITS_FOR_END})


@CONTRACT.client("one request", Topic.PLAIN, Mistake.WAITS_FOR_END, basis=True)
async def clientAsks(client: Client) -> None:
    """The server answers at once and in one piece, and waits for more. The client has what it wanted."""
    connection, answer = await _asks(client)
    await connection.send(answer)
    await _understands(client, answer)


@CONTRACT.client("the answer one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def answerByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""
    connection, answer = await _asks(client)
    await connection.send(answer, pieces=1)
    await _understands(client, answer, Mistake.SHORT_RECV)


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.SHORT_RECV)
async def slowServer(client: Client) -> None:
    """The answer comes half a second late."""
    connection, answer = await _asks(client)
    await client.pause(0.5)
    await connection.send(answer)
    await _understands(client, answer)


@CONTRACT.client("the answer and the end at once", Topic.HALF_CLOSE, Mistake.UNCAUGHT)
async def answerAndEnd(client: Client) -> None:
    """The server answers, and ends the connection right behind the answer."""
    connection, answer = await _asks(client)
    await connection.send(answer)
    connection.halfClose()
    await _understands(client, answer)


@CONTRACT.client("the end in place of an answer", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def endInPlaceOfAnAnswer(client: Client) -> None:
    """The server ends the connection without an answer. The client says so, and ends."""
    connection, _ = await _asks(client)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the end in the middle of an answer", Topic.HALF_CLOSE, Mistake.HALF_ANSWER)
async def endInTheMiddleOfAnAnswer(client: Client) -> None:
    """A part of a checksum, and then the end. A part of a checksum is none."""
    connection, answer = await _asks(client)
    part = answer[: len(answer) // 2]
    await connection.send(part)
    await connection.wasRead()
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    if part.partition(b"|")[2] and re.search(rb"\b%b\b" % part.partition(b"|")[2], client.program.stdout):
        raise client.fail(
            "that it says that there is no checksum", "it printed a part", Mistake.HALF_ANSWER
        )


@CONTRACT.client("broken off before the answer", Topic.RESET, Mistake.UNCAUGHT)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection, _ = await _asks(client)
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("there is none", Topic.INPUT, Mistake.UNCAUGHT)
async def thereIsNone(client: Client) -> None:
    """0| for an answer: the client says that there is no checksum, and ends."""
    connection, answer = await _asks(client)
    await connection.send(answer if answer == b"OK" else b"0|")
    await client.ends(signs={Kind.STAYED: Mistake.WAITS_FOR_END})


@CONTRACT.client("an answer that is none", Topic.INPUT, Mistake.UNCAUGHT)
async def noAnswer(client: Client) -> None:
    """Bytes that are no answer, and the end. The client says so in a sentence, and ends."""
    connection, _ = await _asks(client)
    await connection.send(b"\xff\xfewhat?")
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
