"""
The collector's contract: what a server that reads to the end, and a client that sends until it has no more,
have to bear.

The bytes are those of C{docs/protocols/collector.md}. Nobody can tell from the connection what a collector
has kept, so of a server is demanded that it reads everything, says nothing, and closes when the stream has
ended. What it prints is left open.
"""

from __future__ import annotations

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Kind, Signs
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("collector")

#: More than the system keeps for a program that does not read.
_MUCH = 1_000_000


async def _ends(connection: Connection, signs: Signs = NO_SIGNS) -> None:
    """We have ended what we send: it says nothing, and closes."""
    connection.halfClose()
    expected = {Kind.STAYED: Mistake.NO_CLOSE, Kind.EXTRA: Mistake.EXTRA, Kind.RESET: Mistake.EARLY_CLOSE}
    await connection.expectEnd(words="the end, and nothing before", signs={**expected, **signs})


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else connects, sends something, and ends it."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.STAYED, Kind.RESET), mistake)
    connection = await server.connect(signs=signs, words="that another client is still served")
    await connection.send(b"something else")
    await _ends(connection, signs)


# Servers


@CONTRACT.server("a stream and its end", Topic.PLAIN, Mistake.NO_CLOSE, basis=True)
async def aStream(server: Server) -> None:
    """A client sends, and ends what it sends. The server has said nothing, and closes."""
    connection = await server.connect()
    await connection.send(b"one two three")
    await _ends(connection)


@CONTRACT.server("nothing until the end", Topic.PLAIN, Mistake.EARLY_CLOSE)
async def nothingUntilTheEnd(server: Server) -> None:
    """Three pieces, one after the other: behind each of them more may come. The server does not close."""
    connection = await server.connect()
    for piece in (b"one", b"two", b"three"):
        await connection.send(piece)
        await connection.wasRead()
        if connection.ended is not None:
            raise server.fail("that it reads to the end", "it closes before", Mistake.ONE_RECV)
    await _ends(connection, {Kind.RESET: Mistake.ONE_RECV})


@CONTRACT.server("several streams", Topic.PLAIN, Mistake.ONE_CONNECTION)
async def severalStreams(server: Server) -> None:
    """A server is there for all who come, one after the other."""
    for _ in range(5):
        await stillServes(server, Mistake.ONE_CONNECTION)


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def byteByByte(server: Server) -> None:
    """A stream may arrive in any pieces. Each of them is one more, and none of them is the last."""
    connection = await server.connect()
    await connection.send(b"one two three four", pieces=1)
    if connection.ended is not None:
        raise server.fail("that it reads to the end", "it closes before", Mistake.ONE_RECV)
    await _ends(connection, {Kind.RESET: Mistake.ONE_RECV})


@CONTRACT.server("a letter in two pieces", Topic.SEGMENTATION, Mistake.DECODE_SPLIT)
async def letterInTwoPieces(server: Server) -> None:
    """Text in UTF-8, cut within its letters: pieces are bytes, and not always text."""
    connection = await server.connect()
    await connection.send("\N{EURO SIGN}\N{GREEK SMALL LETTER OMEGA}".encode() * 3, pieces=1)
    if connection.ended is not None:
        raise server.fail("that it reads to the end", "it closes before", Mistake.DECODE_SPLIT)
    await _ends(connection, {Kind.RESET: Mistake.DECODE_SPLIT})
    await stillServes(server, Mistake.DECODE_SPLIT)


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.EARLY_CLOSE)
async def pauseInTheMiddle(server: Server) -> None:
    """A third of a second passes between two pieces. That is no end."""
    connection = await server.connect()
    await connection.send(b"one")
    await server.pause(0.3)
    await connection.send(b"two")
    await connection.wasRead()
    if connection.ended is not None:
        raise server.fail("that it reads to the end", "it closes before")
    await _ends(connection)


@CONTRACT.server("an empty stream", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def emptyStream(server: Server) -> None:
    """A client connects, and has nothing to send. That is a stream without a piece."""
    await _ends(await server.connect(), {Kind.RESET: Mistake.CUT_KILLS, Kind.STAYED: Mistake.CUT_KILLS})
    (await server.connect()).close()
    await stillServes(server, Mistake.CUT_KILLS)


@CONTRACT.server("broken off in the middle", Topic.RESET, Mistake.RESET_KILLS)
async def brokenOff(server: Server) -> None:
    """A client crashes, or its cable is cut: recv raises ConnectionResetError. The others go on."""
    for _ in range(3):
        connection = await server.connect()
        await connection.send(b"something")
        await connection.wasRead()
        connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once. The port must be free for it."""
    connection = await server.connect()
    await connection.send(b"something")
    await connection.wasRead()
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients send at the same time, and the last one ends first."""
    connections = [await server.connect() for _ in range(20)]
    await together(*(connection.send(b"something", pieces=3) for connection in connections))
    for connection in reversed(connections):
        await _ends(connection, {Kind.STAYED: Mistake.ONE_CLIENT})


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A client sends a little, and then nothing. Another one is served meanwhile."""
    stalled = await server.connect()
    await stalled.send(b"something")
    await stillServes(server, Mistake.ONE_CLIENT)
    await stalled.send(b"and the rest")
    await _ends(stalled)


@CONTRACT.server("bytes that are no text", Topic.INPUT, Mistake.INPUT_KILLS)
async def noText(server: Server) -> None:
    """Each byte from 0 to 255, escapes and newlines among them. The server reads them like all others."""
    connection = await server.connect()
    await connection.send(bytes(range(256)))
    connection.halfClose()
    await connection.anything()
    connection.close()
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a long stream", Topic.LIMITS, Mistake.FIXED_BUFFER)
async def longStream(server: Server) -> None:
    """1000000 bytes: more than any recv takes, and less than what this server has room for."""
    connection = await server.connect()
    await connection.send(bytes(_MUCH))
    await _ends(connection, dict.fromkeys((Kind.RESET, Kind.EXTRA), Mistake.FIXED_BUFFER))


@CONTRACT.server("fifty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Fifty clients are connected and send nothing. The one that does is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Clients


async def _sends(client: Client) -> Connection:
    """It connects, and sends something."""
    connection = await client.connects()
    if not await connection.more():
        raise client.fail("that the client sends something", "nothing came", Mistake.SILENT)
    return connection


async def _sendsAll(client: Client, connection: Connection) -> None:
    """It ends what it sends."""
    while not connection.ended:
        if not await connection.anything() and connection.ended is None:
            raise client.fail("the end of what the client sends", "it does not come", Mistake.NO_CLOSE)
    if connection.ended is Kind.RESET:
        raise client.fail("the end of what the client sends", "it is broken off", Mistake.EARLY_CLOSE)


@CONTRACT.client("some pieces, and the end", Topic.PLAIN, Mistake.SILENT, basis=True)
async def clientSends(client: Client) -> None:
    """The client sends something. It is the end of the stream that says that this was all."""
    connection = await _sends(client)
    await _sendsAll(client, connection)


@CONTRACT.client("the end of the program", Topic.PLAIN, Mistake.NO_END)
async def clientEnds(client: Client) -> None:
    """The client has ended the stream, the server closes, and the program ends."""
    connection = await _sends(client)
    await _sendsAll(client, connection)
    connection.close()
    await client.ends()


@CONTRACT.client("a server that reads late", Topic.SLOW, Mistake.SEND_PART)
async def lateServer(client: Client) -> None:
    """The server reads half a second later. The client waits for it, and nothing is lost."""
    connection = await client.connects()
    connection.stopReading()
    await client.pause(0.5)
    connection.startReading()
    if not await connection.more():
        raise client.fail("what the client sends", "nothing came", Mistake.SEND_PART)
    await _sendsAll(client, connection)


@CONTRACT.client("a server that closes late", Topic.SLOW, Mistake.UNCAUGHT)
async def lateClose(client: Client) -> None:
    """The stream has ended, and the server closes half a second later. That is no error."""
    connection = await _sends(client)
    await _sendsAll(client, connection)
    await client.pause(0.5)
    connection.close()
    await client.ends()


@CONTRACT.client("a server that ends first", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def serverEndsFirst(client: Client) -> None:
    """
    The server has nothing to say, and ends its half at once. It still reads: the client sends everything,
    and ends.
    """
    connection = await client.connects()
    connection.halfClose()
    if not await connection.more():
        raise client.fail("what the client sends", "nothing came", Mistake.HALF_CLOSE)
    await _sendsAll(client, connection)
    connection.close()
    await client.ends()


@CONTRACT.client("broken off at once", Topic.RESET, Mistake.UNCAUGHT)
async def serverBreaksOff(client: Client) -> None:
    """The server crashes: send or recv raises an exception. The client says so in a sentence, and ends."""
    connection = await _sends(client)
    connection.reset()
    await client.ends()


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("a server that says something", Topic.INPUT, Mistake.UNCAUGHT)
async def serverTalks(client: Client) -> None:
    """The server says something that is no text, and closes. The client ends all the same."""
    connection = await _sends(client)
    await _sendsAll(client, connection)
    await connection.send(b"\xff\xfe thank you\n")
    connection.close()
    await client.ends()
