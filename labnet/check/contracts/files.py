"""
The contract of the file servers: the course's protocol, in which nothing says where a part ends, and the
framed one.

The bytes are those of C{docs/protocols/files.md}. Uploads need a password that the examiner has not; they
are left out. The end of a name in the course's protocol is a silence: nobody is asked to put one together.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.expectation import Expectation, Mismatch, exactly, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("files", ("course", "framed"), folder=True)

COURSE, FRAMED = ["course"], ["framed"]
#: What most scenarios ask for.
NAME = "check-notes.txt"
TEXT = b"A file of two lines,\nand no more.\n"
#: Every byte, and line ends of both kinds.
BINARY = bytes(range(256)) * 2 + b"\r\n\n\r" * 8
#: More than any one read or buffer takes.
LARGE = b"0123456789abcdef" * 2**17

_MOST = 256 * 2**10
_NO_SUCH = "that there is no such file"


def ask(variant: str, name: str) -> bytes:
    """The request for a file."""
    return (
        name.encode("utf-8") if variant == "course" else head({"request": "get", "name": name, "offset": 0})
    )


def head(members: dict[str, Any]) -> bytes:
    """A head of the framed protocol."""
    data = json.dumps(members).encode("utf-8")
    return len(data).to_bytes(4, "big") + data


def _readHead(data: bytes) -> tuple[dict[str, Any], int] | None:
    """The head at the beginning, and where it ends; L{None} if it is not whole."""
    if len(data) < 4:
        return None
    end = 4 + int.from_bytes(data[:4], "big")
    if end > _MOST:
        raise Mismatch(0)
    if len(data) < end:
        return None
    try:
        members = json.loads(data[4:end])
    except ValueError:
        raise Mismatch(4) from None
    if not isinstance(members, dict):
        raise Mismatch(4)
    return members, end


def theFile(variant: str, content: bytes, offset: int = 0) -> Expectation:
    """A file as it is answered."""
    if variant == "course":
        return exactly(b"OK%d" % len(content) + content, f"OK, the size {len(content)}, and the file")
    wanted = {"offset": offset, "size": len(content), "sha256": sha256(content).hexdigest()}

    def take(data: bytes, ended: bool) -> int | None:
        found = _readHead(data)
        if found is None:
            return None
        members, end = found
        if any(members.get(key) != value for key, value in wanted.items()):
            raise Mismatch(4)
        rest = content[offset:]
        came = data[end : end + len(rest)]
        if not rest.startswith(came):
            raise Mismatch(end)
        return end + len(rest) if len(came) == len(rest) else None

    return taken(
        take, f"a head with the size {len(content)} and its digest, and the file", head(wanted)[:200]
    )


def noFile(variant: str) -> Expectation:
    """The answer to a name that is none."""
    if variant == "course":
        return exactly(b"NOT_FOUND")

    def take(data: bytes, ended: bool) -> int | None:
        found = _readHead(data)
        if found is not None and "error" not in found[0]:
            raise Mismatch(4)
        return None if found is None else found[1]

    return taken(take, "an error", head({"error": "not-found", "text": "there is no such file"}))


async def get(server: Server, content: bytes = TEXT, name: str = NAME, signs: Signs = NO_SIGNS) -> None:
    """Ask for a file, and read it; in the course's protocol to the end of the connection."""
    server.put(name, content)
    connection = await server.connect(signs=signs)
    await connection.send(ask(server.variant, name))
    await _reads(server, connection, content, signs)


async def _reads(server: Server, connection: Connection, content: bytes, signs: Signs = NO_SIGNS) -> None:
    await connection.expect(theFile(server.variant, content), signs=signs)
    if server.variant == "course":
        await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})
    connection.close()


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else gets a file."""
    await get(server, signs=dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake))


# Servers: plain use


@CONTRACT.server("one file", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def oneFile(server: Server) -> None:
    """A client asks for a small file, and gets it. Everything else stands on this."""
    await get(server, signs={Kind.EXTRA: Mistake.EXTRA})


@CONTRACT.server("no such file", Topic.PLAIN, Mistake.FORMAT)
async def noSuchFile(server: Server) -> None:
    """A name that no file has is answered, and not with silence."""
    connection = await server.connect()
    await connection.send(ask(server.variant, "check-nothing.txt"))
    signs = dict.fromkeys((Kind.ENDED, Kind.RESET), Mistake.INPUT_KILLS)
    await connection.expect(noFile(server.variant), words=_NO_SUCH, signs=signs)
    if server.variant == "course":
        await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})
    connection.close()
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a file with other letters", Topic.PLAIN, Mistake.WRONG_SIZE)
async def otherLetters(server: Server) -> None:
    """Some letters have two bytes, or three. The size counts bytes."""
    await get(server, "Árvíztűrő tükörfúrógép, 5 €\n".encode() * 3)


@CONTRACT.server("a file that is no text", Topic.PLAIN, Mistake.TEXT_MODE)
async def noText(server: Server) -> None:
    """A picture, a program: every byte may come, and line ends of both kinds. They arrive as they are."""
    await get(server, BINARY, "check-picture.bin")


@CONTRACT.server("an empty file", Topic.PLAIN, Mistake.FORMAT)
async def emptyFile(server: Server) -> None:
    """A file without a byte is a file."""
    await get(server, b"", "check-empty.txt")


@CONTRACT.server("several on one connection", Topic.PLAIN, Mistake.ONE_REQUEST, variants=FRAMED)
async def severalOnOneConnection(server: Server) -> None:
    """Any number of requests follow one another on a connection; an error does not end it."""
    server.put(NAME, TEXT)
    connection = await server.connect()
    for _ in range(3):
        await connection.send(ask("framed", NAME))
        await connection.expect(theFile("framed", TEXT))
        await connection.send(ask("framed", "check-nothing.txt"))
        await connection.expect(noFile("framed"), words=_NO_SUCH)


@CONTRACT.server("the rest of a file", Topic.PLAIN, Mistake.WRONG_RESULT, variants=FRAMED)
async def restOfAFile(server: Server) -> None:
    """Whoever has a part of a file asks for what comes behind it."""
    server.put(NAME, TEXT)
    connection = await server.connect()
    for offset in (5, len(TEXT)):
        await connection.send(head({"request": "get", "name": NAME, "offset": offset}))
        await connection.expect(theFile("framed", TEXT, offset))


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=FRAMED)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a request may arrive in any pieces, down to single bytes."""
    server.put(NAME, TEXT)
    connection = await server.connect()
    await connection.send(ask("framed", NAME), pieces=1)
    await connection.expect(theFile("framed", TEXT))


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV, variants=FRAMED)
async def twoInOnePiece(server: Server) -> None:
    """Two requests may arrive together: each of them is answered."""
    server.put(NAME, TEXT)
    server.put("check-other.txt", TEXT * 2)
    connection = await server.connect()
    await connection.send(ask("framed", NAME), ask("framed", "check-other.txt"))
    await connection.expect(theFile("framed", TEXT))
    await connection.expect(theFile("framed", TEXT * 2))


# Large files, slow clients, and ends


@CONTRACT.server("a large file", Topic.LIMITS, Mistake.SEND_PART)
async def largeFile(server: Server) -> None:
    """Two mebibytes: more than fits into one read, or one send."""
    await get(server, LARGE, "check-large.bin", {Kind.OTHER: Mistake.FIXED_BUFFER})


@CONTRACT.server("a large file, read slowly", Topic.SLOW, Mistake.SEND_PART)
async def largeFileReadSlowly(server: Server) -> None:
    """The client does not read for a while. Nothing may be lost, and nobody gives up."""
    server.put("check-large.bin", LARGE * 3)
    connection = await server.connect()
    connection.stopReading()
    await connection.send(ask(server.variant, "check-large.bin"))
    await connection.wasRead()
    await server.pause(0.4)
    connection.startReading()
    whole = theFile(server.variant, LARGE * 3)
    if server.variant == "course":
        await connection.receive(len(whole.sample), words="all of the file")
        await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})
    else:
        await connection.receive(len(LARGE) * 3, words="all of the file")


@CONTRACT.server("half-closed after the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a client says that it has asked everything. It still waits for the file."""
    server.put(NAME, TEXT)
    connection = await server.connect()
    await connection.send(ask(server.variant, NAME))
    connection.halfClose()
    await connection.expect(theFile(server.variant, TEXT))
    await connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.server("the end in place of a name", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def endInPlaceOfAName(server: Server) -> None:
    """A client connects, and leaves without a word. The others are served."""
    connection = await server.connect()
    connection.halfClose()
    await connection.anything()
    connection.close()
    await stillServes(server, Mistake.CUT_KILLS)


@CONTRACT.server("broken off in the middle of a file", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """A client crashes while it gets a large file: send raises an exception. Others must not notice."""
    server.put("check-large.bin", LARGE * 3)
    connection = await server.connect()
    connection.stopReading()
    await connection.send(ask(server.variant, "check-large.bin"))
    await connection.wasRead()
    connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, also after it has closed a connection itself."""
    await get(server)
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.SHARED_STATE)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients get files of their own at the same time."""
    await together(*(get(server, b"%d\n" % n * (n + 50), f"check-{n}.txt") for n in range(20)))


@CONTRACT.server("one asks for nothing", Topic.STALL, Mistake.ONE_CLIENT)
async def oneAsksForNothing(server: Server) -> None:
    """A client connects, and says nothing. Another one must be served meanwhile."""
    await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("one does not read", Topic.STALL, Mistake.ONE_CLIENT)
async def oneDoesNotRead(server: Server) -> None:
    """A client asks for a large file, and does not read it. Another one must be served meanwhile."""
    server.put("check-large.bin", LARGE * 3)
    connection = await server.connect()
    connection.stopReading()
    await connection.send(ask(server.variant, "check-large.bin"))
    await connection.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("thirty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Thirty clients are connected and say nothing. The one that asks is served all the same."""
    for _ in range(30):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Names that are none


async def _isRefused(server: Server, name: str) -> None:
    """Whatever is answered, it is not a file."""
    connection = await server.connect()
    await connection.send(ask(server.variant, name))
    came = await connection.anything()
    connection.close()
    if came.startswith(b"OK") or b'"size"' in came:
        raise server.fail(
            _NO_SUCH, f"a file was given away under the name {name!r}", Mistake.PATH_TRAVERSAL
        )


@CONTRACT.server("ways out of the folder", Topic.INPUT, Mistake.INPUT_KILLS)
async def waysOut(server: Server) -> None:
    """
    A name with separators, an absolute path, a link that leads elsewhere: what is outside of the folder is
    not given away, and a name is no path.
    """
    folder = server.folder.resolve()
    link = folder / "check-link.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(__file__))
    server.put(NAME, TEXT)
    try:
        for name in (f"../{folder.name}/{NAME}", f"{folder}/{NAME}", "/etc/passwd", "check-link.txt"):
            await _isRefused(server, name)
    finally:
        link.unlink(missing_ok=True)
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("names that are none", Topic.INPUT, Mistake.INPUT_KILLS)
async def badNames(server: Server) -> None:
    """A folder's name, NUL bytes, a name that is too long for any file. The others are served."""
    for name in (".", "a\0b", "n" * 900):
        await _isRefused(server, name)
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("bytes that are no request", Topic.INPUT, Mistake.INPUT_KILLS)
async def noRequest(server: Server) -> None:
    """Bytes that are no UTF-8; in the framed protocol also what is no JSON, or no object."""
    requests = [b"\xff\xfe\xc3"]
    if server.variant == "framed":
        bodies = (b"\xff\xfe", b"hello", b"[]", b"{}", b'{"request": "get", "name": 5, "offset": "x"}')
        requests = [len(body).to_bytes(4, "big") + body for body in bodies]
    for request in requests:
        connection = await server.connect()
        await connection.send(request)
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH, variants=FRAMED)
async def lyingLength(server: Server) -> None:
    """A head of four thousand million bytes. The server must not wait for it: it says so, or closes."""
    connection = await server.connect()
    await connection.send(b"\xff\xff\xff\xff")
    if not await connection.anything() and connection.ended is None:
        raise server.fail("an error, or the end of the connection", "it waits", Mistake.TRUSTS_LENGTH)
    connection.close()
    await stillServes(server, Mistake.TRUSTS_LENGTH)


# Clients


async def _request(client: Client) -> Connection:
    """The client connects, and asks for a file."""
    connection = await client.connects()
    if client.variant == "course":
        if not await connection.anything():
            raise client.fail("the name of a file", "nothing came", Mistake.SILENT)
        return connection

    def take(data: bytes, ended: bool) -> int | None:
        found = _readHead(data)
        if found is not None and found[0].get("request") != "get":
            raise Mismatch(4)
        return None if found is None else found[1]

    await connection.expect(taken(take, "a request to get a file", ask("framed", NAME)))
    return connection


def _answer(client: Client, content: bytes) -> list[bytes]:
    """The parts of an answer, as a careful server sends them."""
    if client.variant == "course":
        return [b"OK", b"%d" % len(content), content]
    digest = sha256(content).hexdigest()
    members = {"name": NAME, "offset": 0, "size": len(content), "sha256": digest, "mtime": 1.5}
    return [head(members), content]


async def _hasIt(client: Client, content: bytes, mistake: Mistake | None = None) -> None:
    """It ends, and has the file: in its folder, or printed."""
    await client.ends(cleanly=False, signs={Kind.STAYED: Mistake.IGNORES_END})
    paths = [] if client.folder is None else [path for path in client.folder.iterdir() if path.is_file()]
    kept = [path.read_bytes() for path in paths]
    if content in kept or content in client.program.stdout:
        return
    came = f"{len(kept[0])} bytes were saved, and they are other ones" if kept else "there is no such file"
    if not client.endedCleanly:
        came += ", and it ended with a traceback"
    raise client.fail(f"the file of {len(content)} bytes, saved or printed", came, mistake)


async def _sends(client: Client, connection: Connection, parts: list[bytes]) -> None:
    """One part after another, each when the client has read the one before."""
    for part in parts:
        await connection.send(part)
        await connection.wasRead()
        await client.pause(0.03)


@CONTRACT.client("one file", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def clientGets(client: Client) -> None:
    """The server sends each part of its answer by itself, and closes."""
    connection = await _request(client)
    await _sends(client, connection, _answer(client, TEXT))
    connection.close()
    await _hasIt(client, TEXT)


@CONTRACT.client("all in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def allInOnePiece(client: Client) -> None:
    """OK, the size and the file may arrive in one piece: nothing stands between them."""
    connection = await _request(client)
    await connection.send(*_answer(client, TEXT))
    connection.close()
    await _hasIt(client, TEXT)


@CONTRACT.client("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def answerByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""
    connection = await _request(client)
    await connection.send(*_answer(client, TEXT), pieces=1)
    connection.close()
    await _hasIt(client, TEXT)


@CONTRACT.client("a file that is no text", Topic.PLAIN, Mistake.TEXT_MODE)
async def clientGetsNoText(client: Client) -> None:
    """A picture, a program: every byte may come, and line ends of both kinds. They stay as they are."""
    connection = await _request(client)
    await _sends(client, connection, _answer(client, BINARY))
    connection.close()
    await _hasIt(client, BINARY)


@CONTRACT.client("a large file", Topic.LIMITS, Mistake.SHORT_RECV)
async def clientGetsALargeFile(client: Client) -> None:
    """Two mebibytes: more than one recv returns."""
    connection = await _request(client)
    await _sends(client, connection, _answer(client, LARGE))
    connection.close()
    await _hasIt(client, LARGE)


@CONTRACT.client("an empty file", Topic.PLAIN, Mistake.FORMAT)
async def clientGetsAnEmptyFile(client: Client) -> None:
    """A file without a byte is a file. The client ends."""
    connection = await _request(client)
    await _sends(client, connection, _answer(client, b""))
    connection.close()
    await _hasIt(client, b"")


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.SHORT_RECV)
async def slowServer(client: Client) -> None:
    """The second half of the file comes half a second after the first."""
    connection = await _request(client)
    *parts, content = _answer(client, TEXT)
    await _sends(client, connection, [*parts, content[:10]])
    await client.pause(0.5)
    await connection.send(content[10:])
    connection.close()
    await _hasIt(client, TEXT)


@CONTRACT.client("no such file", Topic.INPUT, Mistake.ERROR_AS_RESULT)
async def clientGetsNothing(client: Client) -> None:
    """The server has no such file. The client says so, and saves nothing."""
    connection = await _request(client)
    error = head({"error": "not-found", "text": "there is no such file"})
    await connection.send(b"NOT_FOUND" if client.variant == "course" else error)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    if client.folder is not None and any(path.is_file() for path in client.folder.iterdir()):
        raise client.fail("that it saves nothing", "it saved a file", Mistake.ERROR_AS_RESULT)


@CONTRACT.client("the end in the middle of a file", Topic.HALF_CLOSE, Mistake.UNCAUGHT)
async def endInTheMiddle(client: Client) -> None:
    """The server ends before all of the file has come. The client says so, and ends."""
    connection = await _request(client)
    *parts, content = _answer(client, TEXT)
    await _sends(client, connection, [*parts, content[:-5]])
    connection.close()
    # It may connect once more, to continue.
    await client.settles()
    if not client.program.over and not client.hasConnected:
        raise Failed(Kind.STAYED, "the end of the program", "it goes on", None, Mistake.IGNORES_END)


@CONTRACT.client("broken off in the middle of a file", Topic.RESET, Mistake.UNCAUGHT, variants=COURSE)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection = await _request(client)
    await connection.send(b"OK")
    await connection.wasRead()
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()
