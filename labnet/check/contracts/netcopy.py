"""
The contract of netcopy: what its server and its clients have to bear.

The bytes are those of C{docs/protocols/netcopy.md}. A server asks us for the checksums; what it thinks of a
copy is in what it prints. A client sends the file to our address, and announces the checksum there as well.
"""

from __future__ import annotations

from hashlib import md5

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.expectation import Mismatch, matching, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server
from labnet.netcopy.wire import encodeAnnouncement

CONTRACT = Contract("netcopy", origins={"": "tcp"})

TEXT = b"Hello world, this is a file.\n"
#: Every byte, line ends of both kinds, and nothing that is text as a whole.
BINARY = bytes(range(256)) * 2 + b"\r\n\n\r"
#: More than one recv returns.
LARGE = b"0123456789abcdef" * 2**16
GOOD, BAD = "CSUM OK", "CSUM CORRUPTED"


def digest(content: bytes) -> bytes:
    """The MD5, as it is announced."""
    return md5(content, usedforsecurity=False).hexdigest().encode("ascii")


async def _isAsked(
    server: Server, answer: bytes, signs: Signs = NO_SIGNS, *, pieces: int | None = None
) -> Connection:
    """The server asks for a checksum, and gets this."""
    asking = await server.origin.connects(words="that it asks for the checksum", signs=signs)
    await asking.expect(matching(rb"KI\|[^|]{1,255}", "a request, KI|id", b"KI|1"), signs=signs)
    await asking.send(answer, pieces=pieces)
    return asking


async def _verdict(
    server: Server,
    verdict: str,
    answer: bytes,
    mistake: Mistake | None = None,
    *,
    pieces: int | None = None,
) -> None:
    """The server asks, gets that answer, and says that."""
    signs = {} if mistake is None else dict.fromkeys((Kind.REFUSED, Kind.SILENCE), mistake)
    asking = await _isAsked(server, answer, signs, pieces=pieces)
    await server.prints(verdict, words=f"that it prints {verdict}", mistake=mistake)
    asking.close()


def _kept(content: bytes) -> bytes:
    return b"32|" + digest(content)


async def copies(
    server: Server, content: bytes, mistake: Mistake | None = None, *, pieces: int | None = None
) -> None:
    """Send a file, and its checksum is the right one."""
    signs = {} if mistake is None else {Kind.REFUSED: mistake}
    connection = await server.connect(signs=signs)
    await connection.send(content, pieces=pieces)
    connection.halfClose()
    await _verdict(server, GOOD, _kept(content), mistake)
    connection.close()


# Servers


@CONTRACT.server("one file", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True)
async def oneFile(server: Server) -> None:
    """
    A file comes, and its end. The server asks for the checksum, compares, and says CSUM OK. Everything
    else stands on this.
    """
    await copies(server, TEXT)


@CONTRACT.server("another checksum", Topic.PLAIN, Mistake.WRONG_RESULT)
async def anotherChecksum(server: Server) -> None:
    """The checksum is another one than that of what has come: CSUM CORRUPTED."""
    connection = await server.connect()
    await connection.send(TEXT)
    connection.halfClose()
    await _verdict(server, BAD, _kept(TEXT + b"!"))


@CONTRACT.server("a file that is no text", Topic.PLAIN, Mistake.ALTERED)
async def noText(server: Server) -> None:
    """A picture, a program: every byte may come, and line ends of both kinds."""
    await copies(server, BINARY, Mistake.ALTERED)


@CONTRACT.server("nothing is said back", Topic.PLAIN, Mistake.EXTRA)
async def nothingIsSaid(server: Server) -> None:
    """The client only sends. The server says nothing, and closes in the end."""
    connection = await server.connect()
    await connection.send(TEXT)
    connection.halfClose()
    await _verdict(server, GOOD, _kept(TEXT))
    await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def byteByByte(server: Server) -> None:
    """A file may arrive in any pieces, down to single bytes."""
    await copies(server, TEXT, Mistake.SHORT_RECV, pieces=1)


@CONTRACT.server("a large file", Topic.LIMITS, Mistake.SHORT_RECV)
async def largeFile(server: Server) -> None:
    """A mebibyte: more than one recv returns."""
    await copies(server, LARGE, Mistake.SHORT_RECV)


@CONTRACT.server("the checksum one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def checksumByteByByte(server: Server) -> None:
    """The answer of the checksum server is a stream, too."""
    connection = await server.connect()
    await connection.send(TEXT)
    connection.halfClose()
    await _verdict(server, GOOD, _kept(TEXT), Mistake.SHORT_RECV, pieces=1)


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.SHORT_RECV)
async def pauseInTheMiddle(server: Server) -> None:
    """A slow network: the second half of the file comes a third of a second after the first."""
    connection = await server.connect()
    await connection.send(TEXT[:10])
    await server.pause(0.3)
    await connection.send(TEXT[10:])
    connection.halfClose()
    await _verdict(server, GOOD, _kept(TEXT), Mistake.SHORT_RECV)


@CONTRACT.server("an empty file", Topic.HALF_CLOSE, Mistake.EMPTY_MESSAGE)
async def emptyFile(server: Server) -> None:
    """The end comes at once: that is a file without a byte, with a checksum like any other."""
    await copies(server, b"", Mistake.EMPTY_MESSAGE)


@CONTRACT.server("the checksum server ends", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def checksumServerEnds(server: Server) -> None:
    """The checksum server closes in the middle of its answer, each time. That is no checksum."""
    connection = await server.connect()
    await connection.send(TEXT)
    connection.halfClose()
    asking = await _isAsked(server, b"32|abc")
    asking.halfClose()
    await asking.anything()
    asking.close()
    await server.origin.leave()
    await server.prints(BAD, words=f"that it prints {BAD}", mistake=Mistake.CUT_KILLS, patient=True)
    await connection.more()
    connection.close()


@CONTRACT.server("after a checksum server that ended", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def afterThat(server: Server) -> None:
    """The next file comes, and the checksum server is there again."""
    await copies(server, TEXT, Mistake.CUT_KILLS)


@CONTRACT.server("broken off in the middle of a file", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """A client crashes: recv raises ConnectionResetError. The others must not notice."""
    connection = await server.connect()
    await connection.send(TEXT[:10])
    await connection.wasRead()
    connection.reset()
    await copies(server, TEXT, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, while clients are connected."""
    await server.connect()
    await server.restart()
    server.ignoreOutput()
    await copies(server, TEXT, Mistake.NO_REUSE)


@CONTRACT.server("halves of two files", Topic.MANY, Mistake.SHARED_STATE)
async def interleavedHalves(server: Server) -> None:
    """Two clients send a half of their files each, then the other halves: two streams."""
    connections = [await server.connect(), await server.connect()]
    for half in (TEXT[:10], TEXT[10:]):
        for connection in connections:
            await connection.send(half)
            await connection.wasRead()
    for connection in connections:
        connection.halfClose()
        await _verdict(server, GOOD, _kept(TEXT), Mistake.SHARED_STATE)


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A client sends a part of a file, and then does nothing. Another one must be served meanwhile."""
    stalled = await server.connect()
    await stalled.send(TEXT[:10])
    await stalled.wasRead()
    await copies(server, TEXT, Mistake.ONE_CLIENT)
    # Its end would be that of a file.
    stalled.reset()


@CONTRACT.server("thirty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Thirty clients are connected and send nothing. The one that does is served all the same."""
    idle = [await server.connect() for _ in range(30)]
    await copies(server, TEXT, Mistake.ONE_CLIENT)
    for connection in idle:
        connection.reset()


# Clients

_ANNOUNCEMENT = matching(
    rb"BE\|[^|]{1,255}\|\d{1,9}\|32\|[0-9a-fA-F]{32}",
    "BE|id|seconds|32|md5",
    encodeAnnouncement(b"1", 60, digest(b"")),
)


async def _announces(client: Client) -> tuple[Connection, Connection, bytes]:
    """The client has sent its file, and announces a checksum: both connections, and the digest."""
    copying = await client.connects()
    announcing = await client.connects(signs={Kind.REFUSED: Mistake.SILENT})
    came = await announcing.expect(_ANNOUNCEMENT)
    return copying, announcing, came[-32:].lower()


async def _ends(client: Client, copying: Connection, announced: bytes) -> None:
    """Only now comes the end of the stream, and all of it has the digest that was announced."""

    def take(data: bytes, ended: bool) -> int | None:
        if ended and digest(data) != announced:
            raise Mismatch(len(data))
        return len(data) if ended else None

    words = "a file with the checksum that was announced, and its end"
    await copying.expect(
        taken(take, words), signs={Kind.SILENCE: Mistake.NO_CLOSE, Kind.PART: Mistake.NO_CLOSE}
    )
    copying.close()
    await client.ends()


def _isOpen(copying: Connection) -> None:
    if copying.ended is not None:
        raise Failed(
            Kind.ENDED, "that the stream stays open until OK has come", "it was ended before", None,
            Mistake.TOO_EARLY,
        )  # fmt: skip


@CONTRACT.client("one file", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True)
async def clientCopies(client: Client) -> None:
    """The client sends a file, announces its checksum, waits for OK, and only then ends the stream."""
    copying, announcing, announced = await _announces(client)
    await client.pause(0.1)
    _isOpen(copying)
    await announcing.send(b"OK")
    await _ends(client, copying, announced)


@CONTRACT.client("OK in two pieces", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def okInTwoPieces(client: Client) -> None:
    """TCP keeps no boundaries: even two bytes may arrive one by one. Until then the stream stays open."""
    copying, announcing, announced = await _announces(client)
    await announcing.send(b"O")
    await announcing.wasRead()
    await client.pause(0.1)
    if copying.ended is not None:
        raise client.fail("that it waits for all of OK", "it ended the stream", Mistake.SHORT_RECV)
    await announcing.send(b"K")
    await _ends(client, copying, announced)


@CONTRACT.client("a slow checksum server", Topic.SLOW, Mistake.TOO_EARLY)
async def slowChecksumServer(client: Client) -> None:
    """OK comes half a second late."""
    copying, announcing, announced = await _announces(client)
    await client.pause(0.5)
    _isOpen(copying)
    await announcing.send(b"OK")
    await _ends(client, copying, announced)


@CONTRACT.client("a server that reads slowly", Topic.STALL, Mistake.SEND_PART)
async def slowServer(client: Client) -> None:
    """The netcopy server does not read for a while. Nothing of the file is lost."""
    copying = await client.connects()
    copying.stopReading()
    await client.pause(0.3)
    copying.startReading()
    announcing = await client.connects()
    announced = (await announcing.expect(_ANNOUNCEMENT))[-32:].lower()
    await announcing.send(b"OK")
    await _ends(client, copying, announced)


@CONTRACT.client("the checksum server ends", Topic.HALF_CLOSE, Mistake.UNCAUGHT)
async def checksumServerGone(client: Client) -> None:
    """The checksum server ends without OK. The client says so, and ends."""
    _, announcing, _ = await _announces(client)
    announcing.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the checksum server breaks off", Topic.RESET, Mistake.UNCAUGHT)
async def checksumServerBreaksOff(client: Client) -> None:
    """The checksum server crashes: recv raises ConnectionResetError. The client says so, and ends."""
    _, announcing, _ = await _announces(client)
    announcing.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("another answer than OK", Topic.INPUT, Mistake.ERROR_AS_RESULT)
async def anotherAnswer(client: Client) -> None:
    """The checksum server says something else, and ends. The client ends without a traceback."""
    _, announcing, _ = await _announces(client)
    await announcing.send(b"\xff\xfe")
    announcing.halfClose()
    await client.ends(signs={Kind.OUTPUT: Mistake.UNCAUGHT, Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The servers have not been started yet. The client says so in a sentence, and ends."""
    await client.ends()
