"""
The calculator's contract: what a server and a client have to bear, in every profile, over TCP and UDP.

The bytes are those of C{docs/protocols/calculator.md}. What a division that does not come out even gives,
and how an error is answered, is left open: the course's programs differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.wire import DEFAULT_PROFILE, PROFILES
from labnet.check.calculations import (
    CALCULATION,
    DELIMITED,
    TELLING,
    Question,
    answerTo,
    aRequest,
    orderIsWrong,
    question,
    signsOf,
    some,
)
from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Datagrams
from labnet.check.evidence import Kind, Signs
from labnet.check.expectation import matching
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together

CONTRACT = Contract("calculator", (DEFAULT_PROFILE.name, *(name for name in PROFILES if name != "struct9")))

BOTH = ("tcp", "udp")
UDP = ("udp",)


async def begin(server: Server, signs: Signs = NO_SIGNS) -> Connection | Datagrams:
    """What a client asks over: a connection, or a socket."""
    return server.datagrams() if server.transport == "udp" else await server.connect(signs=signs)


async def ask(asking: Connection | Datagrams, asked: Question, signs: Signs = NO_SIGNS) -> None:
    """Ask in one piece, and wait for the answer."""
    await _say(asking, asked.request)
    await asking.expect(asked.reply, words=asked.words, signs=signs)


async def _say(asking: Connection | Datagrams, request: bytes) -> None:
    if isinstance(asking, Datagrams):
        asking.send(request)
    else:
        await asking.send(request)


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Somebody else asks, and is answered."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    signs[Kind.OTHER] = Mistake.SHARED_STATE
    (asked,) = some(server.random, server.variant)
    asking = await begin(server, signs)
    await _say(asking, asked.request)
    await asking.expect(asked.reply, words=f"{asked.words}, for another client", signs=signs)
    asking.close()


async def survives(server: Server, calculation: Calculation, mistake: Mistake) -> None:
    """Whatever is answered: the next client is served."""
    asking = await begin(server)
    await _say(asking, PROFILES[server.variant].requests.encode(calculation))
    await asking.anything()
    asking.close()
    await stillServes(server, mistake)


# Servers: plain use


@CONTRACT.server("one calculation", Topic.PLAIN, Mistake.FORMAT, transports=BOTH, basis=True)
async def oneCalculation(server: Server) -> None:
    """A client asks what 250 + 10 is, and reads the answer. Everything else stands on this."""
    asked = question(server.variant, CALCULATION)
    await ask(await begin(server), asked, signsOf(server.variant, asked))


@CONTRACT.server("a second client", Topic.PLAIN, Mistake.ONE_CONNECTION, basis=True)
async def secondClient(server: Server) -> None:
    """A client asks and leaves, then another one does. A server is there for all who come."""
    signs = {Kind.OTHER: Mistake.WRONG_RESULT}
    for _ in range(2):
        connection = await server.connect()
        await ask(connection, question(server.variant, CALCULATION), signs)
        connection.close()


@CONTRACT.server("the four operators", Topic.PLAIN, Mistake.WRONG_RESULT, transports=BOTH)
async def fourOperators(server: Server) -> None:
    """Plus, minus, times and divided by; the division comes out even, so that all ways to divide agree."""
    for operator in "+-*/":
        asking = await begin(server)
        await ask(asking, question(server.variant, Calculation(84, operator, 2)))
        asking.close()


@CONTRACT.server("negative numbers", Topic.PLAIN, Mistake.UNSIGNED, transports=BOTH)
async def negativeNumbers(server: Server) -> None:
    """Operands and results have a sign: 4 - 7 is -3, and -5 * 6 is -30."""
    for calculation in (Calculation(4, "-", 7), Calculation(-5, "*", 6)):
        asking = await begin(server)
        await ask(asking, question(server.variant, calculation))
        asking.close()


@CONTRACT.server("several on one connection", Topic.PLAIN, Mistake.ONE_REQUEST)
async def severalOnOneConnection(server: Server) -> None:
    """A client may ask as often as it likes before it leaves."""
    connection = await server.connect()
    for number, asked in enumerate(some(server.random, server.variant, 5)):
        # What comes in the place of a second answer may be the rest of the first.
        await ask(connection, asked, {Kind.OTHER: Mistake.EXTRA} if number else NO_SIGNS)


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a request may arrive in any pieces, down to single bytes."""
    connection = await server.connect()
    for asked in some(server.random, server.variant, 2):
        await connection.send(asked.request, pieces=1)
        await connection.expect(asked.reply, words=asked.words)


@CONTRACT.server("cut at every place", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def cutEverywhere(server: Server) -> None:
    """A request in two pieces, cut once at each place where it can be cut."""
    (asked,) = some(server.random, server.variant)
    places = list(range(1, len(asked.request)))
    for place in places if len(places) < 16 else server.random.sample(places, 16):
        connection = await server.connect()
        await connection.send(asked.request, cuts=[place])
        await connection.expect(asked.reply, words=f"{asked.words}, cut behind byte {place}")
        connection.close()


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def twoInOnePiece(server: Server) -> None:
    """
    A client that does not wait for the answer before it asks again: both requests may arrive in one piece.
    """
    one, other = some(server.random, server.variant, 2)
    connection = await server.connect()
    await connection.send(one.request, other.request)
    await _bothAnswers(connection, one, other)


@CONTRACT.server("one and a half in one piece", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def oneAndHalf(server: Server) -> None:
    """
    The end of one piece is no end of a request: what is there of the second one must be kept for later.
    """
    one, other = some(server.random, server.variant, 2)
    half = len(one.request) + len(other.request) // 2
    connection = await server.connect()
    await connection.send(one.request, other.request, cuts=[half])
    await _bothAnswers(connection, one, other)


async def _bothAnswers(connection: Connection, one: Question, other: Question) -> None:
    if not one.delimited:
        pattern = rb"\s*%b(\.0*)?\s*%b(\.0*)?\s*" % (b"%d" % one.value, b"%d" % other.value)
        words = f"the answers {one.value:g} and {other.value:g}"
        await connection.expect(matching(pattern, words, one.answer + other.answer))
        return
    await connection.expect(one.reply, words=one.words)
    await connection.expect(other.reply, words=f"{other.words}, the second request")


# Slow peers, and the ends of streams


@CONTRACT.server("many requests, then the answers", Topic.SLOW, Mistake.SHORT_RECV, variants=DELIMITED)
async def lateReader(server: Server) -> None:
    """
    A client may ask two hundred times before it reads the first answer. None of the answers may be lost.
    """
    questions = some(server.random, server.variant, 200)
    connection = await server.connect()
    connection.stopReading()
    await connection.send(*(asked.request for asked in questions), pieces=1_000)
    connection.startReading()
    for number, asked in enumerate(questions, 1):
        await connection.expect(asked.reply, words=f"{asked.words}, answer {number} of 200")


@CONTRACT.server("a pause in the middle", Topic.SLOW, Mistake.SHORT_RECV)
async def pauseInTheMiddle(server: Server) -> None:
    """A slow network: the second half of a request comes a third of a second after the first."""
    (asked,) = some(server.random, server.variant)
    connection = await server.connect()
    half = len(asked.request) // 2
    await connection.send(asked.request[:half])
    await server.pause(0.3)
    await connection.send(asked.request[half:])
    await connection.expect(asked.reply, words=asked.words)


@CONTRACT.server("half-closed after the request", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """
    With shutdown(SHUT_WR) a client says that it has asked everything. It still waits for the answer, and
    then for the end of the connection.
    """
    for asked in some(server.random, server.variant, 3):
        connection = await server.connect()
        await connection.send(asked.request)
        connection.halfClose()
        await connection.expect(asked.reply, words=asked.words)
        await connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.server("the end in the middle of a request", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def endInTheMiddle(server: Server) -> None:
    """
    A client leaves after half a request. There is nothing to answer, and the server goes on with the
    others.
    """
    (asked,) = some(server.random, server.variant)
    connection = await server.connect()
    await connection.send(asked.request[: len(asked.request) // 2])
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
    (asked,) = some(server.random, server.variant)
    connection = await server.connect()
    await connection.send(asked.request[: len(asked.request) // 2])
    await connection.wasRead()
    connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("broken off before the answer", Topic.RESET, Mistake.RESET_KILLS)
async def resetBeforeTheAnswer(server: Server) -> None:
    """A client is gone before its answers can be sent: then send raises an exception."""
    for asked in some(server.random, server.variant, 5):
        connection = await server.connect()
        await connection.send(asked.request * 3)
        connection.reset()
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """
    Whoever mends a server starts it again at once. The port must be free for it, also after it has closed a
    connection itself.
    """
    (asked,) = some(server.random, server.variant)
    connection = await server.connect()
    await ask(connection, asked)
    # Its end comes first, and leaves the port in TIME_WAIT.
    assert server.program is not None
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty clients at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """
    Twenty clients are connected at the same time. Each asks three times, and none of them waits for
    another.
    """
    connections = [await server.connect() for _ in range(20)]

    async def converse(connection: Connection, questions: list[Question]) -> None:
        for asked in questions:
            await ask(connection, asked)

    await together(
        *(converse(connection, some(server.random, server.variant, 3)) for connection in connections)
    )


@CONTRACT.server("halves of two clients", Topic.MANY, Mistake.SHARED_STATE)
async def interleavedHalves(server: Server) -> None:
    """
    Two clients send a half of their requests each, then the other halves. Each connection is a stream of
    its own.
    """
    one, other = some(server.random, server.variant, 2)
    first, second = await server.connect(), await server.connect()
    signs = {Kind.SILENCE: Mistake.ONE_CLIENT, Kind.ENDED: Mistake.SHORT_RECV}
    half = len(one.request) // 2
    await first.send(one.request[:half])
    await first.wasRead()
    await second.send(other.request[:half])
    await second.wasRead()
    await first.send(one.request[half:])
    await first.expect(one.reply, words=f"{one.words}, for the first client", signs=signs)
    await second.send(other.request[half:])
    await second.expect(other.reply, words=f"{other.words}, for the second client", signs=signs)


@CONTRACT.server("one stalls, another works", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """
    A client connects, sends half a request, and then does nothing. Another client must be served meanwhile.
    """
    (asked,) = some(server.random, server.variant)
    stalled = await server.connect()
    await stalled.send(asked.request[: len(asked.request) // 2])
    await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)
    await stalled.send(asked.request[len(asked.request) // 2 :])
    words = f"{asked.words}, for the first client, in the end"
    await stalled.expect(asked.reply, words=words, signs={Kind.ENDED: Mistake.SHORT_RECV})


@CONTRACT.server("fifty idle clients", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idleClients(server: Server) -> None:
    """Fifty clients are connected and say nothing. The one that asks is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Bad input


@CONTRACT.server("a division by zero", Topic.INPUT, Mistake.INPUT_KILLS, transports=BOTH)
async def divisionByZero(server: Server) -> None:
    """7 / 0 has no result. An error may be answered, or nothing; the server goes on."""
    await survives(server, Calculation(7, "/", 0), Mistake.INPUT_KILLS)


@CONTRACT.server("an operator that nobody knows", Topic.INPUT, Mistake.INPUT_KILLS, transports=BOTH)
async def unknownOperator(server: Server) -> None:
    """7 ? 2, and the byte FF in the place of the operator. The server goes on."""
    for operator in "?\xff":
        await survives(server, Calculation(7, operator, 2), Mistake.INPUT_KILLS)


@CONTRACT.server("a result that does not fit", Topic.INPUT, Mistake.OVERFLOW, transports=BOTH)
async def resultDoesNotFit(server: Server) -> None:
    """2000000000 * 2000000000 does not fit in four bytes. An error may be answered; the server goes on."""
    await survives(server, Calculation(2_000_000_000, "*", 2_000_000_000), Mistake.OVERFLOW)


@CONTRACT.server("what is no JSON", Topic.INPUT, Mistake.INPUT_KILLS, variants=["json"])
async def noJSON(server: Server) -> None:
    """Text that is no object, an object without its fields, bytes that are no UTF-8: the server goes on."""
    for request in (b"hello\n", b"{}", b'{"oper1": "x", "oper2": [], "op": 7}', b'{"op": "\xff\xfe"}'):
        connection = await server.connect()
        await connection.send(request)
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("a length that is a lie", Topic.LIMITS, Mistake.TRUSTS_LENGTH, variants=["framed"])
async def lyingLength(server: Server) -> None:
    """
    A length of two thousand million, of -1, and of 0, with nothing behind it. The server must not wait for
    so much, nor make room for it, at the cost of others.
    """
    for length in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0"):
        connection = await server.connect()
        await connection.send(length)
        await connection.wasRead()
        await stillServes(server, Mistake.TRUSTS_LENGTH)
        connection.close()


@CONTRACT.server("an object without end", Topic.LIMITS, Mistake.NO_LIMIT, variants=["json"])
async def endlessObject(server: Server) -> None:
    """
    A mebibyte that begins like an object and never ends. A server has to give up at some point: it answers
    with an error, or closes.
    """
    connection = await server.connect()
    await connection.send(b'{"oper1": 1, "op": "' + b"x" * 2**20)
    if not await connection.anything() and connection.ended is None:
        raise server.fail("an error, or the end of the connection", "it goes on reading", Mistake.NO_LIMIT)
    connection.close()
    await stillServes(server, Mistake.NO_LIMIT)


# Over UDP only


@CONTRACT.server("twenty clients ask at once", Topic.MANY, Mistake.WRONG_ADDRESS, transports=UDP)
async def manyAsk(server: Server) -> None:
    """Twenty sockets ask before the first of them is answered. Each gets the answer to its own question."""
    questions = some(server.random, server.variant, 20)
    sockets = [server.datagrams() for _ in questions]
    for asking, asked in zip(sockets, questions, strict=True):
        asking.send(asked.request)
    for asking, asked in zip(sockets, questions, strict=True):
        await asking.expect(asked.reply, words=asked.words)


@CONTRACT.server("datagrams of other sizes", Topic.INPUT, Mistake.DATAGRAM_KILLS, transports=UDP)
async def otherSizes(server: Server) -> None:
    """
    An empty datagram, one byte, half a request, a request and a byte, 8000 bytes. None of them is a
    request; the server goes on.
    """
    (asked,) = some(server.random, server.variant)
    half = asked.request[: len(asked.request) // 2]
    for datagram in (b"", b"\0", half, asked.request + b"\0", bytes(8_000)):
        server.datagrams().send(datagram)
        await stillServes(server, Mistake.DATAGRAM_KILLS)


# Clients


async def _request(connection: Connection, client: Client) -> Calculation:
    """Read the next request of the client."""
    wanted, found = aRequest(client.variant)
    await connection.expect(wanted, signs={Kind.OTHER: Mistake.PADDING, Kind.PART: Mistake.FORMAT})
    (calculation,) = found
    if orderIsWrong(calculation):
        raise client.fail(
            "operands in the order of bytes that the protocol has",
            f"{calculation}: all of it would be small numbers in the other order",
            Mistake.BYTE_ORDER,
        )
    return calculation


Reply = Callable[[Connection, bytes], Awaitable[None]]


async def _served(client: Client, reply: Reply) -> None:
    """Answer everything that the client asks in the same awkward way; it has to print every result."""
    connection = await client.connects()
    while True:
        calculation = await _request(connection, client)
        answer, value = answerTo(client.variant, calculation)
        await reply(connection, answer)
        await client.printsNumber(value, words=f"that it prints the result of {calculation}, {value:g}")
        if not await connection.more():
            return


@CONTRACT.client("one calculation", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True)
async def clientAsks(client: Client) -> None:
    """The client asks, the server answers at once and in one piece, the client prints the result."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(answer)

    await _served(client, reply)


@CONTRACT.client(
    "the answer one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED
)
async def answerByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(answer, pieces=1)

    await _served(client, reply)


@CONTRACT.client("the answer cut in two", Topic.SEGMENTATION, Mistake.SHORT_RECV, variants=DELIMITED)
async def answerCut(client: Client) -> None:
    """The first bytes of an answer come, and the rest a moment later."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await connection.send(answer, cuts=[client.random.randrange(1, len(answer))])

    await _served(client, reply)


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.WRONG_RESULT)
async def slowAnswer(client: Client) -> None:
    """The answer comes half a second later. That is no error."""

    async def reply(connection: Connection, answer: bytes) -> None:
        await client.pause(0.5)
        await connection.send(answer)

    await _served(client, reply)


@CONTRACT.client("the answer and the end at once", Topic.HALF_CLOSE, Mistake.HALF_ANSWER)
async def answerAndEnd(client: Client) -> None:
    """
    The server answers, and ends the connection right behind the answer. The client has it all, prints it,
    and ends.
    """
    connection = await client.connects()
    answer, value = answerTo(client.variant, await _request(connection, client))
    await connection.send(answer)
    connection.halfClose()
    await client.printsNumber(value)
    await client.ends(cleanly=False, signs={Kind.STAYED: Mistake.IGNORES_END})


async def _endsWithoutResult(client: Client, printed: int, values: list[float]) -> None:
    """The client gives up in its own words, and shows none of these numbers as a result."""
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
    for value in values:
        if client.hasPrinted(value, printed):
            raise client.fail(
                "that it says that there is no answer", f"it printed {value:g}", Mistake.HALF_ANSWER
            )


@CONTRACT.client("the end in place of an answer", Topic.HALF_CLOSE, Mistake.IGNORES_END)
async def endInPlaceOfAnAnswer(client: Client) -> None:
    """
    The server ends the connection without an answer: recv returns b''. The client has to say so, and to
    end.
    """
    connection = await client.connects()
    await _request(connection, client)
    printed = len(client.program.stdout)
    connection.close()
    await _endsWithoutResult(client, printed, [])


@CONTRACT.client(
    "the end in the middle of an answer", Topic.HALF_CLOSE, Mistake.HALF_ANSWER, variants=DELIMITED
)
async def endInTheMiddleOfAnAnswer(client: Client) -> None:
    """Half an answer, and then the end. Half an answer is no answer."""
    connection = await client.connects()
    answer, value = answerTo(client.variant, await _request(connection, client))
    printed = len(client.program.stdout)
    await connection.send(answer[: len(answer) // 2])
    await connection.wasRead()
    connection.close()
    await _endsWithoutResult(client, printed, [value, 0.0])


@CONTRACT.client("broken off before the answer", Topic.RESET, Mistake.UNCAUGHT)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The client says so in a sentence, and ends."""
    connection = await client.connects()
    await _request(connection, client)
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The client says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client(
    "an error for an answer", Topic.INPUT, Mistake.ERROR_AS_RESULT, variants=TELLING, transports=BOTH
)
async def errorForAnAnswer(client: Client) -> None:
    """The server answers with the protocol's error. It must not be shown as a result."""
    error = PROFILES[client.variant].replies.encode(Fault.UNKNOWN_OPERATOR)
    if client.transport == "udp":
        _, sender = await client.asks()
        printed = len(client.program.stdout)
        client.datagrams.send(error, sender)
    else:
        connection = await client.connects()
        await _request(connection, client)
        printed = len(client.program.stdout)
        await connection.send(error)
    await client.settles()
    if client.hasPrinted(0.0, printed) or b"nan" in client.program.stdout[printed:].lower():
        raise client.fail(
            "that it says that there is no result", "it printed a number", Mistake.ERROR_AS_RESULT
        )
    if client.program.over and not client.endedCleanly:
        raise client.fail(
            "a sentence that there is no result", "it ended with a traceback", Mistake.UNCAUGHT
        )


# Clients over UDP


async def _datagramRequest(client: Client) -> tuple[Calculation, tuple[str, int]]:
    datagram, sender = await client.asks()
    request = PROFILES[client.variant].requests.decodeDatagram(datagram)
    if not isinstance(request, Calculation) or request.operator not in "+-*/%":
        raise client.fail(
            f"a request of {len(PROFILES[client.variant].requests.encode(CALCULATION))} bytes",
            f"a datagram of {len(datagram)} bytes that is none: {datagram[:20].hex(' ')}",
            Mistake.PADDING,
        )
    if orderIsWrong(request):
        raise client.fail("operands in the protocol's order of bytes", str(request), Mistake.BYTE_ORDER)
    return request, sender


@CONTRACT.client("one datagram", Topic.PLAIN, Mistake.WRONG_RESULT, transports=UDP, basis=True)
async def clientAsksInADatagram(client: Client) -> None:
    """The client asks in one datagram, gets the answer in another, and prints the result."""
    request, sender = await _datagramRequest(client)
    answer, value = answerTo(client.variant, request)
    client.datagrams.send(answer, sender)
    await client.printsNumber(value)


@CONTRACT.client("a lost datagram", Topic.SLOW, Mistake.NO_TIMEOUT, transports=UDP)
async def lostDatagram(client: Client) -> None:
    """
    The request is lost on the way. The client asks again after a while, or says that there is no answer.
    """
    await client.asks()
    await client.asksAgainOrEnds(mistake=Mistake.NO_TIMEOUT)


@CONTRACT.client("an answer from a stranger", Topic.INPUT, Mistake.ANY_SENDER, transports=UDP)
async def answerFromAStranger(client: Client) -> None:
    """
    Somebody else sends a forged answer first. The client has asked the server, and takes the server's.
    """
    request, sender = await _datagramRequest(client)
    answer, value = answerTo(client.variant, request)
    forged, _ = answerTo(client.variant, Calculation(111_111, "+", 0))
    client.stranger().send(forged, sender)
    client.datagrams.send(answer, sender)
    await client.printsNumber(value)


@CONTRACT.client("an answer of another size", Topic.INPUT, Mistake.UNCAUGHT, transports=UDP)
async def answerOfAnotherSize(client: Client) -> None:
    """
    One byte comes in place of an answer. The client says that it does not understand it, or waits for a
    better one; it has no result.
    """
    _, sender = await _datagramRequest(client)
    client.datagrams.send(b"\x01", sender)
    await client.settles()
    if client.program.over and not client.endedCleanly:
        raise client.fail("a sentence", "it ended with a traceback", Mistake.UNCAUGHT)
