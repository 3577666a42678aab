"""
The contract of the hello web server, and of web clients that write their requests by hand.

The bytes are those of C{docs/protocols/web.md}. HTTP/1.0 and HTTP/1.1 are both right; so is a page that has
more in it than the greeting.
"""

from __future__ import annotations

from labnet.check.client import Client
from labnet.check.connection import Connection
from labnet.check.evidence import Kind
from labnet.check.messages import Answer, Asked, answer, asked, chunked, page, response
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("web")

_GREETING = b"<h1>Hello World</h1>"
_SERVED = "the page with <h1>Hello World</h1>"


def request(path: str = "/", *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A browser's request. It does not keep the connection."""
    lines = [f"{method} {path} {version}", "Host: 127.0.0.1", "User-Agent: check", "Accept: text/html"]
    return "\r\n".join([*lines, "Connection: close", *fields, "", ""]).encode("latin-1")


async def served(connection: Connection, server: Server, mistake: Mistake | None = None) -> Answer:
    """The answer with the greeting. C{mistake}: of who says nothing, or ends."""
    signs = dict.fromkeys((Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake) if mistake else {}
    got = await answer(connection, words=_SERVED, signs={Kind.PART: Mistake.WRONG_SIZE, **signs})
    if got.status != 200 or _GREETING not in got.body:
        raise server.fail(f"200, and {_SERVED}", f"{got.status}, {len(got.body)} bytes without it", mistake)
    return got


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else connects, asks, and gets the page."""
    signs = {Kind.REFUSED: mistake}
    connection = await server.connect(signs=signs, words="that another client is still served")
    await connection.send(request())
    await served(connection, server, mistake)
    connection.close()


# Servers: plain use


@CONTRACT.server("a browser asks for the page", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def hello(server: Server) -> None:
    """A browser connects, asks for /, and gets the page. Everything else stands on this."""
    connection = await server.connect()
    await connection.send(request())
    await served(connection, server)


@CONTRACT.server("the lines of the head", Topic.PLAIN, Mistake.FORMAT)
async def headLines(server: Server) -> None:
    """
    The head of an answer has lines that end with CR LF, and among them Content-Type, by which a browser
    knows that it is HTML.
    """
    connection = await server.connect()
    await connection.send(request())
    got = await served(connection, server)
    if got.lineFeeds:
        raise server.fail("lines that end with CR LF", "lines that end with LF alone", Mistake.LINE_ENDS)
    if not any(value.lower().startswith(b"text/html") for value in got.fields.values(b"content-type")):
        raise server.fail("the field Content-Type: text/html", "none of that kind")


@CONTRACT.server("exactly the answer", Topic.PLAIN, Mistake.NO_CLOSE)
async def exactlyTheAnswer(server: Server) -> None:
    """
    The client has asked for the end of the connection behind the answer; nothing else comes before that.
    """
    connection = await server.connect()
    await connection.send(request())
    await served(connection, server)
    signs = {Kind.STAYED: Mistake.NO_CLOSE, Kind.EXTRA: Mistake.WRONG_SIZE}
    await connection.expectEnd(signs=signs)


@CONTRACT.server("one client after the other", Topic.PLAIN, Mistake.ONE_CONNECTION)
async def oneAfterTheOther(server: Server) -> None:
    """Each request comes on a connection of its own, and each is answered. Any path has the page."""
    for path in ("/", "/index.html", "/some/where?a=b", "/favicon.ico"):
        connection = await server.connect()
        await connection.send(request(path))
        await served(connection, server, Mistake.ONE_CONNECTION)
        connection.close()


@CONTRACT.server("the old version", Topic.PLAIN, Mistake.FORMAT)
async def oldVersion(server: Server) -> None:
    """A client of HTTP/1.0 sends two lines, and no field. It gets the page, and then the end."""
    connection = await server.connect()
    await connection.send(b"GET / HTTP/1.0\r\n\r\n")
    await served(connection, server)


@CONTRACT.server("its own request", Topic.PLAIN, Mistake.WRONG_RESULT)
async def itsOwnRequest(server: Server) -> None:
    """At /request the server shows what the browser has sent."""
    word = f"X-Word: {server.random.randrange(10**9)}"
    connection = await server.connect()
    await connection.send(request("/request", word))
    got = await answer(connection, signs={Kind.PART: Mistake.WRONG_SIZE})
    if word.encode() not in got.body:
        raise server.fail(
            f"a page that shows the request, {word!r} in it", f"{len(got.body)} bytes without"
        )


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a request may arrive in any pieces, down to single bytes."""
    connection = await server.connect()
    await connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", pieces=1)
    await served(connection, server)


@CONTRACT.server("cut in two", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def cutInTwo(server: Server) -> None:
    """
    A request in two pieces, cut in the method, in the path, between its lines, and in the empty line at its
    end.
    """
    whole = request("/request", "X-Last: last-field")
    for place in (2, 7, whole.index(b"\r\n") + 2, len(whole) // 2, len(whole) - 3, len(whole) - 1):
        connection = await server.connect()
        await connection.send(whole, cuts=[place])
        got = await answer(connection, words=f"the page, the request being cut behind byte {place}")
        if b"last-field" not in got.body and place < len(whole) - 20:
            raise server.fail(
                "a page that shows all of the request", "its end is missing", Mistake.ONE_RECV
            )
        connection.close()


@CONTRACT.server("a long request", Topic.SEGMENTATION, Mistake.EARLY_CLOSE)
async def longRequest(server: Server) -> None:
    """
    Cookies make a request long: 24,000 bytes here, which no single recv returns. The answer must reach the
    browser all the same, and it does not where the server closes over bytes that it has not read.
    """
    for _ in range(3):
        connection = await server.connect()
        await connection.send(request("/", *(f"Cookie: {number}={'x' * 1_000}" for number in range(24))))
        await served(connection, server, Mistake.EARLY_CLOSE)
        await connection.expectEnd(signs={Kind.RESET: Mistake.EARLY_CLOSE})
        connection.close()


# Slow peers, and the ends of streams


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.ONE_RECV)
async def pauseInTheMiddle(server: Server) -> None:
    """A slow network: the second half of a request comes a third of a second after the first."""
    whole = request()
    connection = await server.connect()
    await connection.send(whole[:20])
    await server.pause(0.3)
    await connection.send(whole[20:])
    await served(connection, server)


@CONTRACT.server("half-closed after the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a client says that it has asked everything. It still waits for the page."""
    connection = await server.connect()
    await connection.send(request())
    connection.halfClose()
    await served(connection, server, Mistake.HALF_CLOSE)


@CONTRACT.server("gone without a word", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def goneWithoutAWord(server: Server) -> None:
    """
    Browsers open connections that they may not need, and close them again: recv returns b'' at once, or
    behind half a request. The server goes on with the others.
    """
    for part in (b"", b"GET", request()[:30]):
        connection = await server.connect()
        if part:
            await connection.send(part)
            await connection.wasRead()
        connection.halfClose()
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.CUT_KILLS)


# Broken connections


@CONTRACT.server("broken off in the middle of a request", Topic.RESET, Mistake.RESET_KILLS)
async def resetInTheMiddle(server: Server) -> None:
    """
    A client crashes, or its cable is cut: recv raises ConnectionResetError. The others must not notice.
    """
    connection = await server.connect()
    await connection.send(request()[:30])
    await connection.wasRead()
    connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("broken off before the answer", Topic.RESET, Mistake.RESET_KILLS)
async def resetBeforeTheAnswer(server: Server) -> None:
    """Who presses Stop is gone before the page can be sent: then send raises an exception."""
    for _ in range(5):
        connection = await server.connect()
        await connection.send(request())
        connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """
    Whoever mends a server starts it again at once. The port must be free for it, although it has just
    closed a connection.
    """
    connection = await server.connect()
    await connection.send(request())
    await served(connection, server)
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty browsers are connected, and each of them asks for its own request."""

    async def ask(connection: Connection, number: int) -> None:
        await connection.send(request("/request", f"X-Number: {number:04}"))
        got = await answer(connection, words=f"a page for client {number}")
        if f"{number:04}".encode() not in got.body:
            raise server.fail(f"the page for client {number}", "another one's", Mistake.SHARED_STATE)

    connections = [await server.connect() for _ in range(20)]
    await together(*(ask(one, 1_000 + number) for number, one in enumerate(connections)))


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """
    A client sends half a request, and then nothing. Another one must be served meanwhile; and the first,
    when it goes on.
    """
    whole = request()
    stalled = await server.connect()
    await stalled.send(whole[:30])
    await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)
    await stalled.send(whole[30:])
    await served(stalled, server, Mistake.ONE_RECV)


@CONTRACT.server("connections for later", Topic.STALL, Mistake.ONE_CLIENT)
async def connectionsForLater(server: Server) -> None:
    """
    Browsers open connections before they need them, and say nothing for a while. Others are served
    meanwhile.
    """
    for _ in range(3):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Bad input, and limits


@CONTRACT.server("what is no request", Topic.INPUT, Mistake.INPUT_KILLS)
async def noRequest(server: Server) -> None:
    """
    A line without a path, an empty line, bytes that are no text, a path that no file has, a length that is
    no number. An error may be answered, or the connection ended; the server goes on.
    """
    for nonsense in (
        b"hello\r\n\r\n", b"\r\n\r\n", b"GET\r\n\r\n", bytes(range(128, 256)) + b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /%zz%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nNo colon here\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    ):  # fmt: skip
        connection = await server.connect()
        await connection.send(nonsense)
        connection.halfClose()
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a path that leads out", Topic.INPUT, Mistake.PATH_TRAVERSAL)
async def pathThatLeadsOut(server: Server) -> None:
    """A path is input. With .. in it, it leads to any file of the machine, for anybody who asks."""
    for path in ("/../../../../../../../../etc/passwd", "//etc/passwd", "/..%2f..%2f..%2f..%2fetc/passwd"):
        connection = await server.connect()
        await connection.send(request(path))
        got = await answer(connection)
        if b"root:" in got.body:
            raise server.fail("anything but a file of the machine", f"{path} is given to whoever asks")
        connection.close()


@CONTRACT.server("a tag in the request", Topic.INPUT, Mistake.UNESCAPED)
async def tagInTheRequest(server: Server) -> None:
    """/request shows what the browser has sent; what looks like a tag in it must not become one."""
    connection = await server.connect()
    await connection.send(request("/request?<script>alert(1)</script>", "X-Tag: <script>"))
    got = await answer(connection)
    if b"<script>" in got.body:
        raise server.fail("&lt;script&gt; in the page", "<script>, which a browser runs")


@CONTRACT.server("a head without end", Topic.LIMITS, Mistake.NO_LIMIT)
async def headWithoutEnd(server: Server) -> None:
    """
    Two mebibytes of fields, and no end of them. A server has to give up at some point: it answers with an
    error, or closes.
    """
    connection = await server.connect()
    await connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"x" * 2**21)
    if not await connection.anything() and connection.ended is None:
        raise server.fail("an error, or the end of the connection", "it goes on reading")
    connection.close()
    await stillServes(server, Mistake.NO_LIMIT)


@CONTRACT.server("fifty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Fifty clients are connected and say nothing. The one that asks is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Clients. Those that go through a proxy have to bear the same: see the proxy's contract.


def _marked(client: Client) -> tuple[str, bytes]:
    """A word that is nowhere else, and a page with it."""
    word = f"word-{client.random.randrange(10**8, 10**9)}"
    return word, page(word.encode())


async def askedFor(client: Client) -> tuple[Connection, Asked]:
    """The client's request; a correct one has what the protocol says."""
    connection = await client.connects()
    got = await asked(connection, signs={Kind.SILENCE: Mistake.SILENT})
    absolute = got.head.target.startswith(b"http://")
    if absolute is not (client.variant == "forward"):
        told = "GET http://host/path, as to a proxy" if not absolute else "GET /path, as to an origin"
        raise client.fail(told, f"the target {got.head.target.decode('latin-1')}", Mistake.FORMAT)
    if got.takesChunks and b"host" not in got.head.fields:
        raise client.fail("the field Host, which HTTP/1.1 demands", "none", Mistake.FORMAT)
    return connection, got


async def _leave(connection: Connection, got: Asked) -> None:
    """The end of an answer, where the client may know it: with the connection, unless it is to be kept."""
    if not got.keeps:
        connection.halfClose()


@CONTRACT.client("one page", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True)
async def onePage(client: Client) -> None:
    """The client asks, the server answers at once and in one piece, the client prints the page."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    await connection.send(response(content, b"Connection: close"))
    connection.halfClose()
    await client.prints(word, words="the page")


@CONTRACT.client("the end of the program", Topic.PLAIN, Mistake.NO_END)
async def endOfTheProgram(client: Client) -> None:
    """When the page is there, and the server has ended the connection, the client ends."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    await connection.send(response(content, b"Connection: close"))
    connection.close()
    await client.prints(word, words="the page")
    await client.ends()


@CONTRACT.client("a connection that stays open", Topic.PLAIN, Mistake.IGNORES_LENGTH)
async def connectionStaysOpen(client: Client) -> None:
    """
    The server has said with Content-Length where the page ends, and keeps the connection for the next
    request, if the client did not ask for its end. The client has all of it, prints it, and ends.
    """
    word, content = _marked(client)
    connection, got = await askedFor(client)
    await connection.send(response(content))
    await _leave(connection, got)
    await client.prints(word, words="the page", signs={Kind.OUTPUT: Mistake.IGNORES_LENGTH})
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_LENGTH})


@CONTRACT.client("the page one byte at a time", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def pageByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    await connection.send(response(content, b"Connection: close"), pieces=1)
    connection.halfClose()
    await client.prints(word, words="the page")


@CONTRACT.client("the head in one piece, the page in another", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def headThenPage(client: Client) -> None:
    """Servers send the head first, and the page when they have it."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    whole = response(content, b"Connection: close")
    await connection.send(whole, cuts=[len(whole) - len(content)])
    connection.halfClose()
    await client.prints(word, words="the page")


@CONTRACT.client("a page in many pieces", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def manyPieces(client: Client) -> None:
    """A page of 40,000 bytes in pieces of 1,000; its last line is what is looked for."""
    word, _ = _marked(client)
    connection, _ = await askedFor(client)
    content = page(b"and so on\n" * 4_000 + word.encode())
    await connection.send(response(content, b"Connection: close"), pieces=1_000)
    connection.halfClose()
    await client.prints(word, words="the last line of the page")


@CONTRACT.client("a character in two pieces", Topic.SEGMENTATION, Mistake.DECODE_SPLIT)
async def characterInTwo(client: Client) -> None:
    """A page in UTF-8, cut once inside of each of its characters."""
    text = "árvíztűrő tükörfúrógép"
    connection, _ = await askedFor(client)
    whole = response(page(text.encode()), b"Connection: close")
    inside = [at for at in range(1, len(whole)) if 0x80 <= whole[at] < 0xC0]
    await connection.send(whole, cuts=inside)
    connection.halfClose()
    shown = repr(text.encode())[2:-1].encode("ascii")
    await client.settles()
    if text.encode() not in client.program.stdout and shown not in client.program.stdout:
        raise client.fail(f"the page with {text}", "it is not in what was printed")


@CONTRACT.client("a page in chunks", Topic.SEGMENTATION, Mistake.CHUNKS_AS_CONTENT)
async def pageInChunks(client: Client) -> None:
    """
    Who asks with HTTP/1.1 may be answered in chunks; the sizes between them are not of the page. For a
    client of HTTP/1.0 the page ends with the connection.
    """
    word, content = _marked(client)
    connection, got = await askedFor(client)
    at = content.index(word.encode()) + len(word) // 2
    chunks = (content[:at], content[at:])
    await connection.send(chunked(*chunks) if got.takesChunks else response(content, length=False))
    if not got.takesChunks or not got.keeps:
        connection.halfClose()
    await client.prints(word, words="the page, its chunks put together")


@CONTRACT.client("a page up to the end of the connection", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def pageUpToTheEnd(client: Client) -> None:
    """An answer of HTTP/1.0 without a length: the page ends where the connection ends."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    await connection.send(response(content, version=b"HTTP/1.0", length=False), pieces=30)
    connection.halfClose()
    await client.prints(word, words="the page")
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.HALF_ANSWER)
async def slowServer(client: Client) -> None:
    """The head comes, and the page half a second later. That is no error."""
    word, content = _marked(client)
    connection, _ = await askedFor(client)
    whole = response(content, b"Connection: close")
    await connection.send(whole[: -len(content)])
    await client.pause(0.5)
    await connection.send(content)
    connection.halfClose()
    await client.prints(word, words="the page")


@CONTRACT.client("the end in place of an answer", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def endInPlaceOfAnAnswer(client: Client) -> None:
    """
    The server ends the connection without an answer: recv returns b''. The client says so, and ends.
    """
    connection, _ = await askedFor(client)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the end in the middle of the page", Topic.HALF_CLOSE, Mistake.HALF_ANSWER)
async def endInTheMiddle(client: Client) -> None:
    """
    Content-Length says 5000, and the connection ends before. Half a page is no page: the client says so in
    a sentence on standard error, or with its exit status.
    """
    _, content = _marked(client)
    connection, _ = await askedFor(client)
    whole = response(content, b"Content-Length: 5000", b"Connection: close", length=False)
    await connection.send(whole)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    if not client.program.status and not client.program.stderr:
        raise client.fail("a status that is not 0, or a sentence on standard error", "neither of them")


@CONTRACT.client("broken off before the answer", Topic.RESET, Mistake.UNCAUGHT)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection, _ = await askedFor(client)
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("not found", Topic.INPUT, Mistake.ERROR_AS_RESULT)
async def notFound(client: Client) -> None:
    """The server answers 404. Whoever uses the client must get to know that, and it ends as it should."""
    connection, _ = await askedFor(client)
    body = page(b"There is no such page here.")
    await connection.send(response(body, b"Connection: close", status=b"404 Not Found"))
    connection.close()
    await client.ends()
    told = client.program.stdout + client.program.stderr
    if not any(word in told for word in (b"404", b"Not Found", b"no such page")):
        raise client.fail("that it shows the error", "it says nothing of it")


@CONTRACT.client("what is no text", Topic.INPUT, Mistake.UNCAUGHT)
async def noText(client: Client) -> None:
    """A picture in place of a page: bytes that are no UTF-8. The client does with it what it likes."""
    connection, _ = await askedFor(client)
    await connection.send(response(bytes(range(256)), b"Connection: close", media=b"image/png"))
    connection.close()
    await client.ends()


@CONTRACT.client("what is no answer", Topic.INPUT, Mistake.UNCAUGHT)
async def noAnswer(client: Client) -> None:
    """Something answers that does not speak HTTP. The client says so, or shows it, and ends."""
    connection, _ = await askedFor(client)
    await connection.send(b"hello\n")
    connection.close()
    await client.ends()


@CONTRACT.client("a large page", Topic.LIMITS, Mistake.ONE_RECV)
async def largePage(client: Client) -> None:
    """A page of a mebibyte; its last line is what is looked for."""
    word, _ = _marked(client)
    connection, _ = await askedFor(client)
    lines = b"".join(b"line %07d\n" % number for number in range(80_000))
    await connection.send(response(lines + word.encode() + b"\n", b"Connection: close"))
    connection.halfClose()
    await client.prints(word, words="the last line of the page")
