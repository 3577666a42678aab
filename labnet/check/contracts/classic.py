"""
The contract of the small services: discard, daytime, qotd, chargen and time, over TCP.

The bytes are those of C{docs/protocols/classic.md}. How a date is written is left open, as RFC 867 does.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.expectation import Expectation, Mismatch, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("classic", ("daytime", "time", "qotd", "chargen", "discard"))

#: Those that say one thing and close; and those whose clients print it.
SAYING = ["daytime", "time", "qotd"]
TEXTS = ["daytime", "qotd"]

#: Seconds from 1900 to 1970; and how far a clock may be wrong.
_EPOCH, _DAY = 2_208_988_800, 86_400
_PRINTABLE = bytes(range(32, 127))
_LINE = 72
_LONGEST = 2_000


def _text(data: bytes, ended: bool) -> int | None:
    if len(data) > _LONGEST:
        raise Mismatch(_LONGEST)
    if not ended:
        return None
    if not data.endswith(b"\r\n") or len(data) < 3:
        raise Mismatch(max(len(data) - 2, 0))
    return len(data)


def _seconds(data: bytes, ended: bool) -> int | None:
    if len(data) < 4:
        return None
    if not _isNow(data[:4]):
        raise Mismatch(0)
    return 4


def _isNow(data: bytes) -> bool:
    return abs(int.from_bytes(data, "big") - _EPOCH - time.time()) % 2**32 < _DAY


def _lines(count: int) -> Callable[[bytes, bool], int | None]:
    """So many lines, each of which begins one character later than the one before."""

    def take(data: bytes, ended: bool) -> int | None:
        if not data:
            return None
        start = _PRINTABLE.find(data[:1])
        for number in range(count):
            first = (start + number) % len(_PRINTABLE)
            line = (_PRINTABLE * 2)[first : first + _LINE] + b"\r\n"
            came = data[number * (_LINE + 2) : (number + 1) * (_LINE + 2)]
            if start < 0 or not line.startswith(came):
                raise Mismatch(number * (_LINE + 2))
            if len(came) < len(line):
                return None
        return count * (_LINE + 2)

    return take


def said(variant: str, lines: int = 100) -> Expectation:
    """What a service says by itself."""
    if variant == "time":
        now = struct.pack("!I", (int(time.time()) + _EPOCH) % 2**32)
        return taken(_seconds, "the seconds since 1900 in four bytes, big-endian", now)
    if variant == "chargen":
        words = f"lines of {_LINE} characters and CR LF, each beginning one character later"
        return taken(_lines(lines), words, _PRINTABLE[:_LINE] + b"\r\n")
    return taken(
        _text, "a line of text with CR LF, and the end", b"Friday, November 20, 2026 20:42:38-UTC\r\n"
    )


async def listens(variant: str, connection: Connection, signs: Signs = NO_SIGNS) -> None:
    """Read what the service says, and its end if it has one."""
    if variant == "discard":
        await connection.send(b"Nobody reads this.\n" * 50)
        connection.halfClose()
    else:
        await connection.expect(said(variant), signs={Kind.SILENCE: Mistake.SILENT, **signs})
    if variant != "chargen":
        await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE, **signs})
    connection.close()


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else comes, and is served."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET, Kind.STAYED), mistake)
    await listens(server.variant, await server.connect(signs=signs), signs)


# Servers


@CONTRACT.server("one client", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def oneClient(server: Server) -> None:
    """A client connects, and gets what the service is there for. Everything else stands on this."""
    connection = await server.connect()
    signs: dict[object, Mistake] = {Kind.SILENCE: Mistake.SILENT}
    if server.variant == "time":
        now = int(time.time())
        for seconds in range(now - 30, now + 30):
            signs[struct.pack("<I", (seconds + _EPOCH) % 2**32)] = Mistake.BYTE_ORDER
            signs[struct.pack("!I", seconds)] = Mistake.WRONG_RESULT
    try:
        await listens(server.variant, connection, signs)
    except Failed as failed:
        # The end belongs to a line of text.
        if server.variant in TEXTS and failed.kind is Kind.OTHER and connection.ended is None:
            failed.mistake = Mistake.NO_CLOSE
        raise


@CONTRACT.server("ten one after another", Topic.PLAIN, Mistake.ONE_CONNECTION)
async def tenClients(server: Server) -> None:
    """The service is there for all who come."""
    for _ in range(10):
        await stillServes(server, Mistake.ONE_CONNECTION)


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=["discard"])
async def byteByByte(server: Server) -> None:
    """Whatever comes, in whatever pieces, is read and forgotten, up to the end."""
    connection = await server.connect()
    await connection.send(b"Nobody reads this", pieces=1)
    connection.halfClose()
    await connection.expectEnd(signs={Kind.STAYED: Mistake.NO_CLOSE})


@CONTRACT.server("a mebibyte", Topic.LIMITS, Mistake.SHORT_RECV, variants=["discard"])
async def aMebibyte(server: Server) -> None:
    """More than any one recv returns is read all the same, and nothing comes back."""
    connection = await server.connect()
    await connection.send(b"x" * 2**20)
    connection.halfClose()
    signs = {Kind.STAYED: Mistake.NO_CLOSE, Kind.RESET: Mistake.EARLY_CLOSE}
    await connection.expectEnd(signs=signs)


@CONTRACT.server("a client that reads slowly", Topic.SLOW, Mistake.SEND_PART, variants=["chargen"])
async def slowReader(server: Server) -> None:
    """The client does not read for a while. No character may be missing afterwards."""
    connection = await server.connect()
    connection.stopReading()
    await server.pause(0.6)
    connection.startReading()
    await connection.receive(3 * (_LINE + 2))
    await connection.expect(said("chargen", 2_000))
    connection.reset()


@CONTRACT.server("a client that says something", Topic.INPUT, Mistake.INPUT_KILLS, variants=SAYING)
async def talkingClient(server: Server) -> None:
    """What a client sends is not looked at."""
    connection = await server.connect()
    await connection.send(b"GET / HTTP/1.0\r\n\r\n\xff\xfe")
    await connection.anything()
    connection.close()
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("half-closed at once", Topic.HALF_CLOSE, Mistake.HALF_CLOSE, variants=SAYING)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a client says that it has nothing to say. It still listens."""
    connection = await server.connect()
    connection.halfClose()
    await listens(server.variant, connection, {Kind.ENDED: Mistake.HALF_CLOSE})


@CONTRACT.server("the client leaves", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def clientLeaves(server: Server) -> None:
    """A client closes at once, before anything is said. The others are served."""
    for _ in range(5):
        connection = await server.connect()
        connection.close()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("broken off", Topic.RESET, Mistake.RESET_KILLS)
async def brokenOff(server: Server) -> None:
    """A client crashes: recv or send raises an exception. The others must not notice."""
    for _ in range(3):
        connection = await server.connect()
        if server.variant in ("chargen", "discard"):
            await connection.send(b"x" * 100)
            await connection.wasRead()
        connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, also after it has closed a connection itself."""
    await stillServes(server, Mistake.ONE_CONNECTION)
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


@CONTRACT.server("twenty at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty clients are connected at the same time, and all are served."""
    connections = [await server.connect() for _ in range(20)]
    signs = {Kind.SILENCE: Mistake.ONE_CLIENT, Kind.STAYED: Mistake.ONE_CLIENT}
    await together(*(listens(server.variant, connection, signs) for connection in connections))


@CONTRACT.server("one stalls, another is served", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A client connects, and neither reads nor sends nor closes. Another one must be served meanwhile."""
    stalled = await server.connect()
    stalled.stopReading()
    await server.pause(0.2)
    await stillServes(server, Mistake.ONE_CLIENT)
    stalled.reset()


# Clients: they print what they are told

DAYTIME = b"Friday, November 20, 2026 20:42:38-UTC\r\n"
#: 9 September 2001, 01:46:40 UTC: as seconds since 1900, since 1970, and as a year.
TIME = struct.pack("!I", _EPOCH + 10**9)
_SHOWN = (str(_EPOCH + 10**9).encode(), b"1000000000", b"2001")


async def _shows(client: Client, mistake: Mistake | None = None) -> None:
    """It prints what was said, in its own way, and ends."""
    await client.ends(cleanly=False, signs={Kind.STAYED: Mistake.IGNORES_END})
    printed = client.program.stdout
    wanted = _SHOWN if client.variant == "time" else (DAYTIME.strip(),)
    if any(one in printed for one in wanted):
        return
    if client.variant == "time" and any(one in printed for one in _misread()):
        mistake = Mistake.BYTE_ORDER
    came = f"it printed {len(printed)} bytes, without that" if printed else "it printed nothing"
    raise client.fail(f"that it prints {' or '.join(one.decode() for one in wanted)}", came, mistake)


def _misread() -> tuple[bytes, ...]:
    """What is printed by whoever reads the bytes from the other end."""
    number = int.from_bytes(TIME, "little")
    return str(number).encode(), str(number - _EPOCH).encode()


def _words(client: Client) -> bytes:
    return TIME if client.variant == "time" else DAYTIME


@CONTRACT.client("all in one piece", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True, variants=SAYING)
async def clientListens(client: Client) -> None:
    """The server says its sentence, and closes. The client prints it, and ends."""
    connection = await client.connects()
    await connection.send(_words(client))
    connection.close()
    await _shows(client)


@CONTRACT.client("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=SAYING)
async def wordsByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: a sentence may arrive in any pieces, down to single bytes."""
    connection = await client.connects()
    await connection.send(_words(client), pieces=1)
    connection.close()
    await _shows(client, Mistake.SHORT_RECV)


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.SHORT_RECV, variants=SAYING)
async def slowServer(client: Client) -> None:
    """The second half comes half a second after the first."""
    connection = await client.connects()
    words = _words(client)
    await connection.send(words[: len(words) // 2])
    await client.pause(0.5)
    await connection.send(words[len(words) // 2 :])
    connection.close()
    await _shows(client, Mistake.SHORT_RECV)


@CONTRACT.client("the end without a word", Topic.HALF_CLOSE, Mistake.IGNORES_END, variants=SAYING)
async def endWithoutAWord(client: Client) -> None:
    """The server closes without a word: recv returns b''. The client ends, and not with a traceback."""
    connection = await client.connects()
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("broken off", Topic.RESET, Mistake.UNCAUGHT, variants=SAYING)
async def serverBreaksOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection = await client.connects()
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True, variants=SAYING)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("bytes that are no text", Topic.INPUT, Mistake.UNCAUGHT, variants=TEXTS)
async def noText(client: Client) -> None:
    """The server says what is no UTF-8. However it is shown, the client ends without a traceback."""
    connection = await client.connects()
    await connection.send(b"\xff\xfe\xc3\r\n")
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
