"""
The guessing game's contract: what its server and its players have to bear.

The bytes are those of C{docs/protocols/guess.md}. Padding, and the number in an answer, are not looked at.
When a connection is ended after the last word is left open.
"""

from __future__ import annotations

import struct

from labnet.check.client import Client
from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Kind, Signs
from labnet.check.expectation import Expectation, Mismatch, taken
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Contract, Topic
from labnet.check.server import Server, together
from labnet.guess.wire import HIGHEST, LOWEST, SIZE, Answer, Question, Search, answerTo, encodeAnswer

CONTRACT = Contract("guess")

_YES_OR_NO = (Answer.YES, Answer.NO)
#: What silence shows while another player is connected.
_WAITS: Signs = {Kind.SILENCE: Mistake.ONE_CLIENT}
#: Questions after which a player is asked no more.
_MOST = 300


def answered(*answers: Answer) -> Expectation:
    """One of these answers, whatever its padding and its number are."""
    letters = b"".join(answer.value for answer in answers)

    def take(data: bytes, ended: bool) -> int | None:
        if data and data[:1] not in {answer.value for answer in answers}:
            raise Mismatch(0)
        return SIZE if len(data) >= SIZE else None

    words = f"8 bytes that begin with {' or '.join(letters.decode('ascii'))}"
    return taken(take, words, encodeAnswer(answers[0]))


async def ask(
    connection: Connection,
    question: Question,
    *answers: Answer,
    signs: Signs = NO_SIGNS,
    pieces: int | None = None,
) -> Answer:
    """Ask, and return the answer; it has to be one of these."""
    await connection.send(question.encode(), pieces=pieces)
    return await hears(connection, question, *answers, signs=signs)


async def hears(
    connection: Connection, question: Question, *answers: Answer, signs: Signs = NO_SIGNS
) -> Answer:
    """The answer to a question that was sent."""
    relation = question.relation.decode("ascii")
    words = (
        f"the answer to {relation} {question.number}: {' or '.join(one.value.decode() for one in answers)}"
    )
    came = await connection.expect(answered(*answers), words=words, signs=signs)
    return Answer(came[:1])


async def findsOut(connection: Connection, signs: Signs = NO_SIGNS) -> int:
    """Ask until only one number is left."""
    search = Search()
    while search.low != search.high:
        search.heard(await ask(connection, search.next(), *_YES_OR_NO, signs=signs))
    return search.low


def less(number: int) -> Question:
    """Is it less than that?"""
    return Question(b"<", number)


def more(number: int) -> Question:
    """Is it more than that?"""
    return Question(b">", number)


async def stillServes(server: Server, mistake: Mistake) -> None:
    """Another player comes, asks, and is answered."""
    signs = dict.fromkeys((Kind.REFUSED, Kind.SILENCE, Kind.ENDED, Kind.RESET), mistake)
    signs[Kind.OTHER] = Mistake.SHARED_STATE
    connection = await server.connect(signs=signs, words="that another player is still served")
    await ask(connection, more(LOWEST - 1), Answer.YES, signs=signs)
    await ask(connection, less(LOWEST), Answer.NO, signs=signs)
    connection.close()


# Servers: the game


@CONTRACT.server("one question", Topic.PLAIN, Mistake.FORMAT, basis=True)
async def oneQuestion(server: Server) -> None:
    """
    Is it more than 0? Yes: it is one from 1 to 100. Is it less than 1? No. Everything else stands on this.
    """
    connection = await server.connect()
    signs = {Kind.PART: Mistake.PADDING}
    await ask(connection, more(0), Answer.YES, signs=signs)
    await ask(connection, less(1), Answer.NO, signs={**signs, Kind.OTHER: Mistake.BYTE_ORDER})
    await ask(connection, less(HIGHEST + 1), Answer.YES)
    await ask(connection, more(HIGHEST), Answer.NO)


@CONTRACT.server("a game that is won", Topic.PLAIN, Mistake.WRONG_RESULT)
async def gameWon(server: Server) -> None:
    """By halves every number is found with seven questions. The guess is right: Y, you won."""
    connection = await server.connect()
    number = await findsOut(connection)
    await ask(connection, more(number), Answer.NO)
    await ask(connection, less(number), Answer.NO)
    await ask(connection, Question(b"=", number), Answer.WON)
    connection.close()
    await stillServes(server, Mistake.ONE_CONNECTION)


@CONTRACT.server("a game that is lost", Topic.PLAIN, Mistake.WRONG_RESULT)
async def gameLost(server: Server) -> None:
    """A guess is wrong: K, you are out. The others play on."""
    out, other = await server.connect(), await server.connect()
    number = await findsOut(other, _WAITS)
    await ask(out, Question(b"=", number % HIGHEST + 1), Answer.OUT)
    out.close()
    await ask(other, less(number + 1), Answer.YES, signs={Kind.OTHER: Mistake.SHARED_STATE})
    await ask(other, Question(b"=", number), Answer.WON)


@CONTRACT.server("one wins, the game is over for all", Topic.MANY, Mistake.NOT_TOLD)
async def overForAll(server: Server) -> None:
    """All play for the same number. When one has named it, the others are told: V."""
    winner, *others = [await server.connect() for _ in range(3)]
    for other in others:
        await ask(other, more(0), Answer.YES, signs=_WAITS)
    number = await findsOut(winner, _WAITS)
    await ask(winner, Question(b"=", number), Answer.WON)
    for other in others:
        await ask(other, less(50), Answer.OVER)
        other.close()
    await stillServes(server, Mistake.ONE_CONNECTION)


# Segmentation


@CONTRACT.server("one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def byteByByte(server: Server) -> None:
    """TCP keeps no boundaries: a question may arrive in any pieces, down to single bytes."""
    connection = await server.connect()
    await ask(connection, more(0), Answer.YES, pieces=1)
    await ask(connection, less(1), Answer.NO, pieces=1)


@CONTRACT.server("cut at every place", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def cutEverywhere(server: Server) -> None:
    """A question in two pieces, cut once at each place where it can be cut."""
    for place in range(1, SIZE):
        connection = await server.connect()
        await connection.send(more(0).encode(), cuts=[place])
        await hears(connection, more(0), Answer.YES)
        connection.close()


@CONTRACT.server("two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def twoInOnePiece(server: Server) -> None:
    """Two questions may arrive together: each of them is answered."""
    connection = await server.connect()
    await connection.send(more(0).encode(), less(1).encode())
    await hears(connection, more(0), Answer.YES)
    await hears(connection, less(1), Answer.NO)


@CONTRACT.server("one and a half in one piece", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def oneAndHalf(server: Server) -> None:
    """The end of one piece is no end of a question: what is there of the second one is kept for later."""
    connection = await server.connect()
    await connection.send(more(0).encode(), less(1).encode(), cuts=[SIZE + 3])
    await hears(connection, more(0), Answer.YES)
    await hears(connection, less(1), Answer.NO)


# Slow players, and ends


@CONTRACT.server("many questions, then the answers", Topic.SLOW, Mistake.SHORT_RECV)
async def lateReader(server: Server) -> None:
    """A player asks two hundred times before reading the first answer. None of the answers is lost."""
    connection = await server.connect()
    connection.stopReading()
    await connection.send(*(less(1).encode() for _ in range(200)), pieces=1_000)
    connection.startReading()
    for _ in range(200):
        await hears(connection, less(1), Answer.NO)


@CONTRACT.server("half-closed after the question", Topic.HALF_CLOSE, Mistake.HALF_CLOSE)
async def halfClosed(server: Server) -> None:
    """With shutdown(SHUT_WR) a player says that everything is asked, and still waits for the answer."""
    connection = await server.connect()
    await connection.send(more(0).encode())
    connection.halfClose()
    await hears(connection, more(0), Answer.YES)
    await connection.expectEnd(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.server("the end in the middle of a question", Topic.HALF_CLOSE, Mistake.CUT_KILLS)
async def endInTheMiddle(server: Server) -> None:
    """A player leaves after half a question. There is nothing to answer, and the others are served."""
    connection = await server.connect()
    await connection.send(more(0).encode()[:3])
    await connection.wasRead()
    connection.halfClose()
    await connection.anything()
    connection.close()
    await stillServes(server, Mistake.CUT_KILLS)


@CONTRACT.server("broken off before the end of the game", Topic.RESET, Mistake.RESET_KILLS)
async def resetBeforeTheEnd(server: Server) -> None:
    """A player crashes: recv and send raise exceptions. The game of the others goes on, to its end."""
    gone, winner, other = [await server.connect() for _ in range(3)]
    await ask(gone, more(0), Answer.YES)
    number = await findsOut(winner, _WAITS)
    await gone.send(more(0).encode()[:4])
    await gone.wasRead()
    with server.frozen():
        gone.reset()
        await winner.send(Question(b"=", number).encode())
        await gone.more()
    signs = {Kind.SILENCE: Mistake.BROKEN_MEMBER}
    await hears(winner, Question(b"=", number), Answer.WON, signs=signs)
    await ask(other, less(50), Answer.OVER, signs=signs)
    await stillServes(server, Mistake.RESET_KILLS)


@CONTRACT.server("started again at once", Topic.RESET, Mistake.NO_REUSE, restarts=True)
async def startedAgain(server: Server) -> None:
    """Whoever mends a server starts it again at once, while players are connected."""
    connection = await server.connect()
    await ask(connection, more(0), Answer.YES)
    await server.restart()
    await stillServes(server, Mistake.NO_REUSE)


# Many at once


@CONTRACT.server("twenty players at once", Topic.MANY, Mistake.ONE_CLIENT)
async def manyAtOnce(server: Server) -> None:
    """Twenty players look for the same number at the same time, and all find the same."""
    numbers: list[int] = []

    async def play() -> None:
        numbers.append(await findsOut(await server.connect()))

    await together(*(play() for _ in range(20)))
    if len(set(numbers)) != 1:
        raise server.fail(
            "one number for all players", f"they found {len(set(numbers))} numbers", Mistake.SHARED_STATE
        )


@CONTRACT.server("halves of two players", Topic.MANY, Mistake.SHARED_STATE)
async def interleavedHalves(server: Server) -> None:
    """Two players send a half of their questions each, then the other halves: two streams."""
    first, second = await server.connect(), await server.connect()
    for connection, question in ((first, more(0)), (second, less(1))):
        await connection.send(question.encode()[:5])
        await connection.wasRead()
    for connection, question, answer in ((first, more(0), Answer.YES), (second, less(1), Answer.NO)):
        await connection.send(question.encode()[5:])
        await hears(connection, question, answer, signs=_WAITS)


@CONTRACT.server("one stalls, another plays", Topic.STALL, Mistake.ONE_CLIENT)
async def oneStalls(server: Server) -> None:
    """A player connects, sends half a question, and then does nothing. Another one must be served."""
    stalled = await server.connect()
    await stalled.send(more(0).encode()[:5])
    await stalled.wasRead()
    await stillServes(server, Mistake.ONE_CLIENT)


@CONTRACT.server("fifty idle players", Topic.LIMITS, Mistake.ONE_CLIENT)
async def idlePlayers(server: Server) -> None:
    """Fifty players are connected and say nothing. The one that asks is served all the same."""
    for _ in range(50):
        await server.connect()
    await stillServes(server, Mistake.ONE_CLIENT)


# Bad input


@CONTRACT.server("a question that nobody knows", Topic.INPUT, Mistake.INPUT_KILLS)
async def unknownQuestion(server: Server) -> None:
    """Other characters than <, > and =: a wrong guess, or the end. The others are served."""
    for relation in (b"?", b"\xff", b"\0"):
        connection = await server.connect()
        await connection.send(struct.pack("<c3xi", relation, 50))
        await connection.anything()
        connection.close()
        await stillServes(server, Mistake.INPUT_KILLS)


@CONTRACT.server("numbers that are none", Topic.LIMITS, Mistake.INPUT_KILLS)
async def numbersOutside(server: Server) -> None:
    """-1, and the largest and the smallest of four bytes: they are compared like any other."""
    for number in (-1, 2**31 - 1, -(2**31)):
        connection = await server.connect()
        expected = Answer.YES if number < LOWEST else Answer.NO
        await ask(connection, more(number), expected, signs={Kind.OTHER: Mistake.UNSIGNED})
        connection.close()


# Players


async def _asks(client: Client, connection: Connection) -> Question:
    """The next question of the player."""

    def take(data: bytes, ended: bool) -> int | None:
        if data and data[:1] not in b"<>=":
            raise Mismatch(0)
        return SIZE if len(data) >= SIZE else None

    wanted = taken(take, "a question of 8 bytes", Question(b"<", 50).encode())
    data = await connection.expect(wanted, signs={Kind.PART: Mistake.PADDING, Kind.OTHER: Mistake.PADDING})
    question = Question.decode(data)
    if not -1 <= question.number <= HIGHEST + 1:
        mistake = Mistake.BYTE_ORDER if question.number % 0x10000 == 0 else Mistake.PADDING
        raise client.fail(f"a number from {LOWEST} to {HIGHEST}", f"{question.number}", mistake)
    return question


async def _plays(
    client: Client, connection: Connection, *, pieces: int | None = None, seconds: float = 0.0
) -> Answer:
    """A whole game, up to the guess. The answer to the guess is not sent, but returned."""
    number = client.random.randint(LOWEST, HIGHEST)
    for _ in range(_MOST):
        question = await _asks(client, connection)
        answer = answerTo(question, number)
        if question.relation == b"=":
            return answer
        if seconds:
            await client.pause(seconds)
            seconds = 0.0
        await connection.send(encodeAnswer(answer), pieces=pieces)
    raise client.fail("a guess", f"{_MOST} questions, and no guess", Mistake.WRONG_RESULT)


async def _isOver(client: Client, connection: Connection, last: Answer, mistake: Mistake) -> None:
    """The last answer; the player ends."""
    if last is Answer.OUT:
        raise client.fail("a guess that fits to the answers", "another number was guessed", mistake)
    await connection.send(encodeAnswer(last))
    await connection.wasRead()
    await connection.send(encodeAnswer(Answer.OVER))
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.NO_END})


@CONTRACT.client("a game", Topic.PLAIN, Mistake.WRONG_RESULT, basis=True)
async def clientPlays(client: Client) -> None:
    """The player asks, is answered at once and in one piece, guesses the number, and ends."""
    connection = await client.connects()
    await _isOver(client, connection, await _plays(client, connection), Mistake.WRONG_RESULT)


@CONTRACT.client("the answers one byte at a time", Topic.SEGMENTATION, Mistake.SHORT_RECV)
async def answersByteByByte(client: Client) -> None:
    """TCP keeps no boundaries: an answer may arrive in any pieces, down to single bytes."""
    connection = await client.connects()
    await _isOver(client, connection, await _plays(client, connection, pieces=1), Mistake.SHORT_RECV)


@CONTRACT.client("the last two in one piece", Topic.SEGMENTATION, Mistake.ONE_RECV)
async def lastTwoInOnePiece(client: Client) -> None:
    """Y and V may arrive together. The player has won, and ends."""
    connection = await client.connects()
    last = await _plays(client, connection)
    await connection.send(encodeAnswer(last), encodeAnswer(Answer.OVER))
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.NO_END})


@CONTRACT.client("a slow server", Topic.SLOW, Mistake.WRONG_RESULT)
async def slowServer(client: Client) -> None:
    """The first answer comes half a second late. That is no error."""
    connection = await client.connects()
    await _isOver(client, connection, await _plays(client, connection, seconds=0.5), Mistake.WRONG_RESULT)


async def _endsWith(client: Client, *answers: Answer) -> None:
    connection = await client.connects()
    await _asks(client, connection)
    await connection.send(*map(encodeAnswer, answers))
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the game is over", Topic.PLAIN, Mistake.NO_END)
async def gameIsOver(client: Client) -> None:
    """Somebody else has won: V in place of an answer. The player asks no more, and ends."""
    connection = await client.connects()
    await _asks(client, connection)
    await connection.send(encodeAnswer(Answer.OVER))
    if await connection.more():
        raise client.fail("that it asks no more", "it asked again", Mistake.NO_END)
    connection.close()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("the player is out", Topic.PLAIN, Mistake.NO_END)
async def playerIsOut(client: Client) -> None:
    """K in place of an answer. The player ends."""
    await _endsWith(client, Answer.OUT)


@CONTRACT.client("the end in the middle of an answer", Topic.HALF_CLOSE, Mistake.UNCAUGHT)
async def endInTheMiddleOfAnAnswer(client: Client) -> None:
    """Half an answer, and then the end. The player says so, and ends."""
    connection = await client.connects()
    await _asks(client, connection)
    await connection.send(encodeAnswer(Answer.YES)[:3])
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("broken off before the answer", Topic.RESET, Mistake.UNCAUGHT)
async def brokenOff(client: Client) -> None:
    """The server crashes: recv raises ConnectionResetError. The player says so in a sentence, and ends."""
    connection = await client.connects()
    await _asks(client, connection)
    connection.reset()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})


@CONTRACT.client("nobody listens", Topic.RESET, Mistake.UNCAUGHT, absent=True)
async def nobodyListens(client: Client) -> None:
    """The server has not been started yet. The player says so in a sentence, and ends."""
    await client.ends()


@CONTRACT.client("an answer that is none", Topic.INPUT, Mistake.UNCAUGHT)
async def noAnswer(client: Client) -> None:
    """The bytes FF in place of an answer, and the end. The player ends without a traceback."""
    connection = await client.connects()
    await _asks(client, connection)
    await connection.send(b"\xff" * SIZE)
    connection.halfClose()
    await client.ends(signs={Kind.STAYED: Mistake.IGNORES_END})
