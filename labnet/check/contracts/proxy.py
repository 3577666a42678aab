"""
The contract of the filtering HTTP proxy, before one origin (fixed) and for clients that know it
(forward), and of clients that go through it.

What is right is in C{docs/protocols/http-proxy.md}. The exact 160 bytes are demanded before one origin
only.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from labnet.check.client import Client
from labnet.check.connection import Connection
from labnet.check.contracts import web
from labnet.check.evidence import Kind
from labnet.check.messages import page, response
from labnet.check.mistakes import Mistake
from labnet.check.proxying import (
    CLOSE,
    WORD,
    arrives,
    blocked,
    exchange,
    reaches,
    request,
    stillServes,
    tried,
)
from labnet.check.scenario import Contract, Side, Topic
from labnet.check.server import Server, together
from labnet.proxy.policy import COURSE_404
from labnet.proxyselftest.codings import encoded

CONTRACT = Contract(
    "proxy", ("fixed", "forward"), origins={"fixed": "tcp", "forward": "tcp"}, named=("forward",)
)

_CLEAN = page(b"A clean page, which mentions nothing.")
_BLOCKED = page(b"Here it is: " + WORD + b".")
_LINES = b"".join(b"line %07d\n" % number for number in range(80_000))


# Plain use


@CONTRACT.server("a clean page", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def cleanPage(server: Server) -> None:
    """
    A client asks, the origin answers, the client has the page as it was sent. Everything else stands on
    this.
    """
    await arrives(await exchange(server, response(_CLEAN, CLOSE)), server, _CLEAN)


@CONTRACT.server("a page with the word", Topic.PLAIN, Mistake.WRONG_RESULT)
async def pageWithTheWord(server: Server) -> None:
    """SzamHalo is in the page: the client gets the 404 in its place, and the connection ends."""
    await blocked(await exchange(server, response(_BLOCKED, CLOSE)), server)


@CONTRACT.server("the word in the head", Topic.PLAIN, Mistake.HALF_SEARCHED)
async def wordInTheHead(server: Server) -> None:
    """SzamHalo stands in a field of the answer, or in a redirect, and not in the page."""
    for field, status in ((b"X-Note: ", b"200 OK"), (b"Location: /?q=", b"302 Found")):
        reply = response(_CLEAN, CLOSE, field + WORD, status=status)
        await blocked(await exchange(server, reply), server)


@CONTRACT.server("what the origin gets", Topic.PLAIN, Mistake.FORMAT)
async def whatTheOriginGets(server: Server) -> None:
    """The origin gets the path and the query as they were asked for, and only these: GET /path?query."""
    path = "/some/where.html?a=b&c=%C3%A1"
    connection = await server.connect()
    await connection.send(request(server, path))
    origin, got = await reaches(server, path)
    if got.head.target != path.encode():
        mistake = Mistake.TARGET_AS_IT_CAME if got.head.target.startswith(b"http://") else None
        raise server.fail(f"GET {path}", f"GET {got.head.target.decode('latin-1')}", mistake)
    await origin.send(response(_CLEAN, CLOSE))
    origin.close()
    await arrives(connection, server, _CLEAN)


@CONTRACT.server("one client after the other", Topic.PLAIN, Mistake.ONE_CONNECTION)
async def oneAfterTheOther(server: Server) -> None:
    """A proxy is there for all who come."""
    for _ in range(3):
        await stillServes(server, Mistake.ONE_CONNECTION)


@CONTRACT.server("bytes that are no text", Topic.PLAIN, Mistake.ALTERED)
async def noText(server: Server) -> None:
    """A picture goes through as it is: every byte from 00 to FF, and line ends of all kinds."""
    content = bytes(range(256)) * 20 + b"\n\r\n\r\r\n \t\0" + bytes(range(255, -1, -1))
    connection = await exchange(server, response(content, CLOSE, media=b"image/png"))
    await arrives(connection, server, content, Mistake.ALTERED)


@CONTRACT.server("an origin that keeps its connection", Topic.PLAIN, Mistake.IGNORES_LENGTH)
async def originKeeps(server: Server) -> None:
    """
    A browser does not ask for the end of the connection, and so the origin may keep it open behind its
    page: the page ends where Content-Length says.
    """
    connection = await server.connect()
    await connection.send(request(server, "/page", keeps=True))
    origin, got = await reaches(server, "/page")
    await origin.send(response(_CLEAN, *(() if got.keeps else (CLOSE,))))
    if not got.keeps:
        origin.close()
    await arrives(connection, server, _CLEAN, Mistake.IGNORES_LENGTH)


# Segmentation


@CONTRACT.server("a request one byte at a time", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def requestByteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a request may arrive in any pieces, down to single bytes."""
    connection = await server.connect()
    await connection.send(request(server, "/page"), pieces=1)
    origin, _ = await reaches(server, "/page", {Kind.PART: Mistake.ONE_RECV, Kind.OTHER: Mistake.ONE_RECV})
    await origin.send(response(_CLEAN, CLOSE))
    origin.close()
    await arrives(connection, server, _CLEAN)


@CONTRACT.server("a form in two pieces", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def formInTwo(server: Server) -> None:
    """A browser sends the head of a POST first, and the content in another piece. The origin gets both."""
    form = b"name=Ada&year=1843&text=" + b"x" * 500
    whole = request(server, "/form", method="POST", body=form)
    connection = await server.connect()
    await connection.send(whole, cuts=[len(whole) - len(form)])
    origin, got = await reaches(server, "/form", {Kind.PART: Mistake.ONE_RECV})
    if got.body != form:
        raise server.fail(f"the {len(form)} bytes of the form", f"{len(got.body)} bytes", Mistake.ONE_RECV)
    await origin.send(response(_CLEAN, CLOSE))
    origin.close()
    await arrives(connection, server, _CLEAN)


@CONTRACT.server("a page in many pieces", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def manyPieces(server: Server) -> None:
    """A page of 40,000 bytes comes in pieces of 1,000. None of them may be lost."""
    content = page(b"and so on\n" * 4_000)
    connection = await exchange(server, response(content, CLOSE), pieces=1_000)
    await arrives(connection, server, content, Mistake.ONE_RECV)


@CONTRACT.server("the word in two pieces", Topic.SEGMENTATION, Mistake.SPLIT_WORD)
async def wordInTwo(server: Server) -> None:
    """
    Szam is at the end of one piece, and Halo at the beginning of the next; or the cut is elsewhere in it.
    """
    whole = response(_BLOCKED, CLOSE)
    for inside in range(1, len(WORD)):
        connection = await exchange(server, whole, cuts=[whole.index(WORD) + inside])
        await blocked(connection, server)
        connection.close()


def _around(name: str, title: str, why: str, topic: Topic, mistake: Mistake) -> None:
    """A scenario that is one of the self-test's ways around a filter, or of its clean pages."""

    async def play(server: Server) -> None:
        await tried(server, name, mistake)

    CONTRACT.server(title, topic, mistake, name=name, why=why)(play)


_around("head-bytes", "the word in the head, one byte at a time",
        "SzamHalo in a field of the answer, each letter of it in a piece of its own.",
        Topic.SEGMENTATION, Mistake.SPLIT_WORD)  # fmt: skip
_around("drip", "a page with the word, dripping",
        "The page comes four bytes at a time and has no length: it ends with the connection.",
        Topic.SEGMENTATION, Mistake.SPLIT_WORD)  # fmt: skip
_around("clean-close", "a clean page without a length",
        "A page that ends with the connection arrives as it is.",
        Topic.SEGMENTATION, Mistake.HALF_ANSWER)  # fmt: skip
_around("two-chunks", "the word over two chunks",
        "An origin that is asked with HTTP/1.1 may answer in chunks. Between Szam and Halo stands the size "
        "of the second chunk, which is not of the page: the reader sees the word.",
        Topic.SEGMENTATION, Mistake.CHUNKS_AS_CONTENT)  # fmt: skip
_around("clean-chunks", "a clean page in chunks",
        "A page in chunks arrives whole, in chunks or with a length.",
        Topic.SEGMENTATION, Mistake.CHUNKS_AS_CONTENT)  # fmt: skip


@CONTRACT.server("a compressed page", Topic.SEGMENTATION, Mistake.COMPRESSED)
async def compressedPage(server: Server) -> None:
    """
    Browsers take gzip, and say so. If the proxy passes that on, the origin may send the page in gzip; the
    word is in it all the same.
    """
    text = _BLOCKED + b"and more of it, " * 200
    connection = await server.connect()
    await connection.send(request(server, "/page", "Accept-Encoding: gzip"))
    origin, got = await reaches(server, "/page")
    if b"gzip" in b",".join(got.head.fields.values(b"accept-encoding")):
        await origin.send(response(encoded("gzip", text), CLOSE, b"Content-Encoding: gzip"))
    else:
        await origin.send(response(text, CLOSE))
    origin.close()
    await blocked(connection, server)


# Slow peers


@CONTRACT.server("a slow origin", Topic.SLOW, Mistake.HALF_ANSWER)
async def slowOrigin(server: Server) -> None:
    """The head comes, and half the page; the other half comes half a second later. That is no error."""
    content = page(b"A page in two halves. " * 10)
    whole = response(content, CLOSE)
    connection = await server.connect()
    await connection.send(request(server, "/slow"))
    origin, _ = await reaches(server, "/slow")
    await origin.send(whole[:-100])
    await server.pause(0.5)
    await origin.send(whole[-100:])
    origin.close()
    await arrives(connection, server, content, Mistake.HALF_ANSWER)


@CONTRACT.server("a slow reader", Topic.SLOW, Mistake.SEND_PART)
async def slowReader(server: Server) -> None:
    """
    The client does not read for a while. Nothing of the 7 mebibytes of the page may be lost meanwhile.
    """
    content = _LINES * 7
    connection = await server.connect()
    await connection.send(request(server, "/large"))
    connection.stopReading()
    origin, _ = await reaches(server, "/large")
    await origin.send(response(content, CLOSE))
    origin.close()
    await server.pause(0.5)
    connection.startReading()
    await arrives(connection, server, content, Mistake.SEND_PART)


# The ends of streams


@CONTRACT.server("half-closed after the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a client says that it has asked everything. It still waits for the page."""
    connection = await server.connect()
    await connection.send(request(server, "/page"))
    connection.halfClose()
    origin, _ = await reaches(server, "/page", {Kind.SILENCE: Mistake.HALF_CLOSE})
    await origin.send(response(_CLEAN, CLOSE))
    origin.close()
    await arrives(connection, server, _CLEAN, Mistake.HALF_CLOSE)


@CONTRACT.server("gone in the middle of a request", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def goneInTheMiddle(server: Server) -> None:
    """A client connects and leaves without a word, or behind half a request. The others are served."""
    for part in (b"", request(server, "/gone")[:30]):
        connection = await server.connect()
        if part:
            await connection.send(part)
            await connection.wasRead()
        connection.halfClose()
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.CUT_KILLS)


_around("cut-length", "a page that ends too early",
        "The origin ends the connection before all of Content-Length is there. The client must be able to "
        "see that half a page is missing: it must not get another length that fits.",
        Topic.HALF_CLOSE, Mistake.HALF_ANSWER)  # fmt: skip


async def _failing(server: Server, fail: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
    """
    The origin does something that is no page. The client is not left waiting, and the others are served.
    """
    connection = await server.connect()
    await connection.send(request(server, "/failing"))
    origin, _ = await reaches(server, "/failing")
    await fail(origin)
    await _seesTheEnd(server, connection)
    await stillServes(server, Mistake.ORIGIN_KILLS)


async def _seesTheEnd(server: Server, connection: Connection) -> None:
    if not await connection.anything() and connection.ended is None:
        raise server.fail("an error, or the end of the connection", "nothing", Mistake.ORIGIN_KILLS)
    connection.close()


@CONTRACT.server("the end in place of a page", Topic.HALF_CLOSE, Mistake.ORIGIN_KILLS)
async def endInPlaceOfAPage(server: Server) -> None:
    """The origin ends the connection without an answer. The client gets an error, or the end as well."""

    async def end(origin: Connection) -> None:
        origin.close()

    await _failing(server, end)


# Broken connections


@CONTRACT.server("broken off in the middle of a request", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """
    A client crashes, or its cable is cut: recv raises ConnectionResetError. The others must not notice.
    """
    connection = await server.connect()
    await connection.send(request(server, "/reset")[:30])
    await connection.wasRead()
    connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("broken off before the page", Topic.RESET, Mistake.RESET_KILLS)
async def resetBeforeThePage(server: Server) -> None:
    """Who presses Stop is gone before the page can be passed on: then send raises an exception."""
    for _ in range(3):
        connection = await server.connect()
        await connection.send(request(server, "/stop"))
        origin, _ = await reaches(server, "/stop")
        connection.reset()
        await origin.send(response(_LINES, CLOSE))
        origin.close()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("an origin that breaks off", Topic.RESET, Mistake.ORIGIN_KILLS)
async def originBreaksOff(server: Server) -> None:
    """The origin crashes in the middle of a page: recv raises ConnectionResetError. Others are served."""

    async def reset(origin: Connection) -> None:
        await origin.send(response(_CLEAN, CLOSE)[:-20])
        await origin.wasRead()
        origin.reset()

    await _failing(server, reset)


@CONTRACT.server("an origin that is not there", Topic.RESET, Mistake.ORIGIN_KILLS)
async def noOrigin(server: Server) -> None:
    """Nobody listens where the origin should be. The client gets an error, or the end; so does the next."""
    await server.origin.leave()
    for _ in range(2):
        signs = {Kind.REFUSED: Mistake.ORIGIN_KILLS}
        connection = await server.connect(signs=signs, words="that it still takes connections")
        await connection.send(request(server, "/page"))
        await _seesTheEnd(server, connection)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """
    Whoever mends a proxy starts it again at once. The port must be free for it, although it has just
    closed a connection.
    """
    await stillServes(server, Mistake.NO_REUSE)
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once, and those who stall


@CONTRACT.server("ten clients at once", Topic.MANY, Mistake.SHARED_STATE)
async def manyAtOnce(server: Server) -> None:
    """Ten clients ask for ten pages. Each gets its own one."""
    contents = {f"/page{number}": page(b"Page number %d." % number) for number in range(10)}

    async def ask(path: str) -> None:
        connection = await server.connect()
        await connection.send(request(server, path))
        await arrives(connection, server, contents[path], Mistake.SHARED_STATE)
        connection.close()

    async def serve() -> None:
        for _ in contents:
            origin, got = await reaches(server, "/page", {Kind.SILENCE: Mistake.SHARED_STATE})
            path = "/" + got.head.target.decode("latin-1").rpartition("/")[2]
            await origin.send(response(contents.get(path, _CLEAN), CLOSE))
            origin.close()

    await together(serve(), *map(ask, contents))


@CONTRACT.server("a client stalls, others work", Topic.STALL, Mistake.ONE_CLIENT)
async def clientStalls(server: Server) -> None:
    """A client sends half a request, and then nothing. Another one must be served meanwhile."""
    stalled = await server.connect()
    await stalled.send(request(server, "/stalled")[:30])
    await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("an origin stalls, others work", Topic.STALL, Mistake.ONE_CLIENT)
async def originStalls(server: Server) -> None:
    """
    The origin takes a request, and says nothing, or half a page. Whoever waits for that waits; all others
    are served meanwhile.
    """
    for begun in (b"", response(_CLEAN, CLOSE)[:-20]):
        stalled = await server.connect()
        await stalled.send(request(server, "/stalled"))
        origin, _ = await reaches(server, "/stalled")
        if begun:
            await origin.send(begun)
        await stillServes(server, Mistake.ONE_CLIENT)
        origin.close()


# Bad input, and limits


@CONTRACT.server("what is no request", Topic.INPUT, Mistake.INPUT_KILLS)
async def noRequest(server: Server) -> None:
    """
    A line without a path, empty lines, bytes that are no text, a length that is no number, URLs without a
    host or with an impossible port. An error may be answered, or the connection ended; the proxy goes on.
    """
    for nonsense in (
        b"hello\r\n\r\n", b"\r\n\r\n", b"GET\r\n\r\n", bytes(range(128, 256)) + b"\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost:\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://127.0.0.1:99999/ HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n",
        b"GET http://127.0.0.1:x/ HTTP/1.1\r\nHost: 127.0.0.1:x\r\n\r\n",
        b"CONNECT nowhere HTTP/1.1\r\nHost: nowhere\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    ):  # fmt: skip
        connection = await server.connect(signs={Kind.REFUSED: Mistake.INPUT_KILLS})
        await connection.send(nonsense)
        await connection.wasRead()
        connection.close()
    await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("an origin that does not speak HTTP", Topic.INPUT, Mistake.ORIGIN_KILLS)
async def originSpeaksOtherwise(server: Server) -> None:
    """The origin says something that is no answer, or has a length that is no number. Others are served."""
    for nonsense in (
        b"hello\n", bytes(range(128, 256)), b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
    ):  # fmt: skip

        async def say(origin: Connection, nonsense: bytes = nonsense) -> None:
            await origin.send(nonsense)
            origin.close()

        await _failing(server, say)


@CONTRACT.server("a large page", Topic.LIMITS, Mistake.ONE_RECV)
async def largePage(server: Server) -> None:
    """A page of a mebibyte, in one go. No single recv returns it."""
    await arrives(await exchange(server, response(_LINES, CLOSE)), server, _LINES, Mistake.ONE_RECV)


@CONTRACT.server("a large page with the word at its end", Topic.LIMITS, Mistake.HALF_SEARCHED)
async def wordAtTheEnd(server: Server) -> None:
    """
    The last bytes of a mebibyte are SzamHalo. The client gets the 404, and nothing of the page before it.
    """
    await blocked(await exchange(server, response(_LINES + WORD, CLOSE)), server)


@CONTRACT.server("a head without end", Topic.LIMITS, Mistake.NO_LIMIT)
async def headWithoutEnd(server: Server) -> None:
    """
    Two mebibytes of a request's head, and no end of it. A proxy has to give up at some point: it answers
    with an error, or closes.
    """
    connection = await server.connect()
    await connection.send(request(server, "/endless")[:-2] + b"X: " + b"x" * 2**21)
    if not await connection.anything() and connection.ended is None:
        raise server.fail("an error, or the end of the connection", "it goes on reading")
    connection.close()
    await stillServes(server, Mistake.NO_LIMIT)


# Clients: those of the web, which ask for the whole URL if the proxy is for all sites


for _scenario in web.CONTRACT.scenarios:
    if _scenario.side is Side.CLIENT:
        CONTRACT.add(_scenario)


@CONTRACT.client("the page is blocked", Topic.PLAIN, Mistake.ERROR_AS_RESULT)
async def pageIsBlocked(client: Client) -> None:
    """
    The proxy answers with its 160 bytes, which have no length: the page ends with the connection. Whoever
    uses the client must get to know that, and it ends as it should.
    """
    connection, _ = await web.askedFor(client)
    await connection.send(COURSE_404)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    told = client.program.stdout + client.program.stderr
    if not any(word in told for word in (b"404", b"Not Found", b"blocked")):
        raise client.fail("that it shows that the page was blocked", "it says nothing of it")
