"""
The greeting's contract: what a server that speaks first, and a client that listens until the end, have to
bear.

The bytes are those of C{docs/protocols/greeting.md}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from labnet.check.client import Client
from labnet.check.connection import Connection
from labnet.check.evidence import Failed, Kind
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("greeting")

GREETING = b"Hello, client! Connection established."
_WORDS = f"{GREETING.decode()!r}, 38 bytes"


async def isGreeted(server: Server, mistake: Mistake) -> None:
    """Somebody connects, is greeted, and leaves."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    connection = await server.connect(signs=signs, words="that another client is greeted")
    await connection.expect(GREETING, words=_WORDS, signs=signs)
    connection.close()


# Servers


@CONTRACT.server("the greeting", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def theGreeting(server: Server) -> None:
    """A client connects, says nothing, and is greeted: it is the server that speaks first."""
    connection = await server.connect()
    try:
        await connection.expect(GREETING, words=_WORDS, signs={Kind.SILENCE: Mistake.SILENT})
    except Failed as failed:
        if failed.kind is Kind.SILENCE:
            await connection.send(b"hello\n")
            if await connection.anything():
                failed.mistake = Mistake.WAITS_FOR_WORD
        raise


@CONTRACT.server("the end behind the greeting", Topic.PLAIN, Mistake.NO_CLOSE)
async def endBehindTheGreeting(server: Server) -> None:
    """38 bytes, no newline and no zero, and then the end: it is the end that says that this was all."""
    connection = await server.connect()
    await connection.expect(GREETING, words=_WORDS)
    await connection.expectEnd()


@CONTRACT.server("ten clients, one after the other", Topic.PLAIN, Mistake.ONE_CONNECTION)
async def oneAfterTheOther(server: Server) -> None:
    """A server is there for all who come."""
    for _ in range(10):
        await isGreeted(server, Mistake.ONE_CONNECTION)


@CONTRACT.server("a client that reads late", Topic.SLOW, Mistake.EARLY_CLOSE)
async def lateReader(server: Server) -> None:
    """The client reads half a second later. The greeting is still there, and so is the end."""
    connection = await server.connect()
    connection.stopReading()
    await server.pause(0.5)
    connection.startReading()
    await connection.expect(GREETING, words=_WORDS)
    await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("half-closed at once", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """A client ends what it sends before it has said a word. It still listens, and is greeted."""
    connection = await server.connect()
    connection.halfClose()
    await connection.expect(GREETING, words=_WORDS)
    await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("a client that says something", Topic.HALF_CLOSE, Mistake.EARLY_CLOSE)
async def clientThatTalks(server: Server) -> None:
    """
    Browsers and others speak first. What they say is read and forgotten: a socket that is closed over
    unread input breaks the connection off, and that may overtake the greeting.
    """
    connection = await server.connect()
    await connection.send(b"GET / HTTP/1.0\r\n\r\n" + bytes(100_000))
    await connection.expect(GREETING, words=_WORDS, signs={Kind.RESET: Mistake.EARLY_CLOSE})
    connection.halfClose()
    await connection.expectEnd(signs={Kind.RESET: Mistake.EARLY_CLOSE, Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("broken off at once", Topic.RESET, Mistake.RESET_KILLS)
async def brokenOff(server: Server) -> None:
    """Clients break the connection off before they are greeted: then send raises an exception."""
    for _ in range(10):
        (await server.connect()).reset()
    await isGreeted(server, Mistake.RESET_KILLS)


@CONTRACT.server("said something and broken off", Topic.RESET, Mistake.RESET_KILLS)
async def talkedAndBrokenOff(server: Server) -> None:
    """A client says something, and breaks the connection off: then recv raises an exception."""
    for _ in range(5):
        connection = await server.connect()
        await connection.send(b"hello\n")
        await connection.expect(GREETING, words=_WORDS)
        connection.reset()
    await isGreeted(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """
    Whoever mends a server starts it again at once. Who closes first, as this server does, has its port in
    TIME_WAIT; it must be free for it all the same.
    """
    connection = await server.connect()
    await connection.expect(GREETING, words=_WORDS)
    await connection.more()
    connection.close()
    await server.restart()
    await isGreeted(server, Mistake.NO_REUSE)


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients are connected at the same time. Each of them is greeted."""
    connections = [await server.connect() for _ in range(20)]

    async def listen(connection: Connection) -> None:
        await connection.expect(GREETING, words=_WORDS)

    await together(*map(listen, connections))


@CONTRACT.server("one stays, another comes", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStays(server: Server) -> None:
    """Some clients are greeted, and never close. The next one must not wait until they do."""
    for _ in range(3):
        connection = await server.connect()
        await connection.expect(GREETING, words=_WORDS)
    await isGreeted(server, Mistake.ONE_CLIENT)


@CONTRACT.server("bytes that are no text", Topic.INPUT, Mistake.INPUT_KILLS)
async def noText(server: Server) -> None:
    """A client sends what is no text. The server has not asked for it, and goes on."""
    connection = await server.connect()
    await connection.send(b"\xff\xfe\0\xc3")
    await connection.anything()
    connection.close()
    await isGreeted(server, Mistake.INPUT_KILLS)


@CONTRACT.server("fifty clients", Topic.LIMITS, Mistake.ONE_CONNECTION)
async def fiftyClients(server: Server) -> None:
    """Fifty come and go: no socket may be left over from them."""
    for _ in range(50):
        await isGreeted(server, Mistake.ONE_CONNECTION)


# Clients

Greeting = Callable[[Connection], Awaitable[None]]


async def _greeted(client: Client, say: Greeting, text: str = GREETING.decode()) -> None:
    """Greet it in some awkward way, and end what we send. It prints what was said."""
    connection = await client.connects()
    await say(connection)
    connection.halfClose()
    await client.prints(text)


@CONTRACT.client("the greeting", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def clientListens(client: Client) -> None:
    """The server greets in one piece, and closes. The client prints the greeting."""
    connection = await client.connects()
    await connection.send(GREETING)
    connection.halfClose()
    await client.prints(GREETING, signs={Kind.OUTPUT: Mistake.SILENT})


@CONTRACT.client("in two pieces", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def inTwoPieces(client: Client) -> None:
    """The first bytes come, and the rest a moment later. It is the end that says that this was all."""

    async def say(connection: Connection) -> None:
        await connection.send(GREETING, cuts=[client.random.randrange(1, len(GREETING))])

    await _greeted(client, say)


@CONTRACT.client("one byte at a time", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def byteByByte(client: Client) -> None:
    """TCP keeps no boundaries: a greeting may arrive in any pieces, down to single bytes."""

    async def say(connection: Connection) -> None:
        await connection.send(GREETING, pieces=1)

    await _greeted(client, say)


@CONTRACT.client("another language", Topic.SEGMENTATION, Mistake.DECODE_SPLIT)
async def anotherLanguage(client: Client) -> None:
    """A server may greet in UTF-8, and TCP may cut it within a letter."""
    text = "\N{LATIN CAPITAL LETTER U WITH DIAERESIS}dv\N{LATIN SMALL LETTER O WITH DIAERESIS}zlet!"

    async def say(connection: Connection) -> None:
        await connection.send(text.encode(), pieces=1)

    await _greeted(client, say, text)


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.ONE_RECV)
async def slowServer(client: Client) -> None:
    """Half of the greeting comes, and the rest half a second later. That is no error."""

    async def say(connection: Connection) -> None:
        await connection.send(GREETING[:12])
        await client.pause(0.5)
        await connection.send(GREETING[12:])

    await _greeted(client, say)


@CONTRACT.client("the end behind the greeting", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def endBehind(client: Client) -> None:
    """The server has said everything, and closes: recv returns b''. The client ends, too."""

    async def say(connection: Connection) -> None:
        await connection.send(GREETING)

    await _greeted(client, say)
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("closed without a word", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def withoutWord(client: Client) -> None:
    """The server closes, and has said nothing. The client ends in words of its own."""
    connection = await client.connects()
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("broken off", Topic.RESET, Mistake.UNCAUGHT)
async def clientIsCutOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection = await client.connects()
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("a long greeting", Topic.LIMITS, Mistake.FIXED_BUFFER)
async def longGreeting(client: Client) -> None:
    """8000 bytes, more than many a buffer holds: all of it is printed, to the last word."""

    async def say(connection: Connection) -> None:
        await connection.send(b"Hello, client! " * 530 + b"That was all.")

    await _greeted(client, say, "Hello, client! That was all.")
