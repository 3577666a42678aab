"""
What passes between standard input and output and the peers, who waits for whom, and how it ends.
"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.outcome import ExitStatus, explain
from labnet.netcat.session import Manner, Session
from tests.netcat.world import World, fin, gone, reset, sent, transportOf


def came(result: object) -> tuple[str, ExitStatus]:
    assert isinstance(result, Failure)
    return explain(result)


def test_bytesPassAsTheyAre(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    world.type(b"there\x00\xff")
    peer.dataReceived(b"back\x00\xff")
    assert (sent(peer), world.out) == (b"there\x00\xff", b"back\x00\xff")
    reset(peer)
    world.written()


def test_inputWaitsForAPeer(clock: Clock) -> None:
    world = World(clock)
    assert not world.standard.reading
    peer = world.peer()
    assert world.standard.reading
    reset(peer)
    world.written()


def test_theEndOfInputEndsOurHalfAndTheAnswerStillArrives(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    world.type(b"question")
    world.session.readConnectionLost()
    assert transportOf(peer).halfClosed
    peer.dataReceived(b"answer")
    fin(peer)
    gone(peer)
    assert world.out == b"answer"
    assert world.written() is ExitStatus.OK


def test_aPeerThatEndsFirstStillGetsTheRest(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    fin(peer)
    world.type(b"rest")
    assert sent(peer) == b"rest"
    assert not transportOf(peer).disconnecting
    world.session.readConnectionLost()
    gone(peer)
    assert world.written() is ExitStatus.OK


@pytest.mark.parametrize("interactive", [False, True])
def test_whoSitsAtATerminalIsToldHowToEnd(clock: Clock, interactive: bool) -> None:
    """For the peer has ended its half only, as far as anybody can know."""
    world = World(clock, interactive=interactive)
    peer = world.peer()
    fin(peer)
    assert world.told == ["the peer has ended its half of the connection; Ctrl-D ends yours"] * interactive
    reset(peer)
    world.written()


def test_aSlowStandardOutputHoldsThePeerBack(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    world.session.pauseProducing()
    assert not transportOf(peer).reading
    assert world.standard.reading
    world.session.resumeProducing()
    assert transportOf(peer).reading
    reset(peer)
    world.written()


def test_aPeerThatComesWhileStandardOutputIsFull(clock: Clock) -> None:
    world = World(clock, Manner(keep=True), listening=True)
    world.session.pauseProducing()
    peer = world.peer()
    assert not transportOf(peer).reading
    world.session.resumeProducing()
    assert transportOf(peer).reading
    world.session.abandon()
    gone(peer)
    world.written()


def test_aSlowPeerHoldsStandardInputBack(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    peer.pauseProducing()
    assert not world.standard.reading
    assert transportOf(peer).reading
    peer.resumeProducing()
    assert world.standard.reading
    reset(peer)
    world.written()


def test_aSlowPeerThatVanishesHoldsNobodyBack(clock: Clock) -> None:
    world = World(clock, Manner(keep=True), listening=True)
    slow, other = world.peer(), world.peer()
    slow.pauseProducing()
    assert not world.standard.reading
    reset(slow)
    world.type(b"for the other")
    assert sent(other) == b"for the other"
    world.session.abandon()
    gone(other)
    world.written()


def test_inHexadecimalBothDirectionsWaitForStandardOutput(clock: Clock) -> None:
    world = World(clock, Manner(hexadecimal=True))
    peer = world.peer()
    world.type(b"hi")
    clock.advance(0.5)
    peer.dataReceived(b"ho")
    assert world.out == (
        b"> 0.000 s, 2 bytes\n> 00000000  68 69                                             |hi|\n"
        b"< 0.500 s, 2 bytes\n< 00000000  68 6f                                             |ho|\n"
    )
    world.session.pauseProducing()
    assert not world.standard.reading
    assert not transportOf(peer).reading
    world.session.resumeProducing()
    assert world.standard.reading
    reset(peer)
    world.written()


def test_piecesHoldStandardInputBack(clock: Clock) -> None:
    """While there are pieces, nothing more is read; the end of input waits for the last."""
    world = World(clock, Manner(chop=(2,), pause=1.0))
    peer = world.peer()
    world.type(b"abcd")
    assert not world.standard.reading
    clock.advance(1)
    assert transportOf(peer).pieces == [b"ab", b"cd"]
    world.type(b"e")
    world.session.readConnectionLost()
    assert not transportOf(peer).halfClosed
    clock.advance(1)
    assert transportOf(peer).pieces == [b"ab", b"cd", b"e"]
    assert transportOf(peer).halfClosed
    fin(peer)
    gone(peer)
    assert world.written() is ExitStatus.OK


def test_aSlowPeerHoldsThePiecesBack(clock: Clock) -> None:
    world = World(clock, Manner(chop=(1,), pause=1.0))
    peer = world.peer()
    world.type(b"abc")
    peer.pauseProducing()
    clock.pump([1, 1, 1])
    assert sent(peer) == b"a"
    peer.resumeProducing()
    clock.pump([1, 1])
    assert sent(peer) == b"abc"
    reset(peer)
    world.written()


def test_linesWithEscapes(clock: Clock) -> None:
    """Each line is sent at once, without its end; a mistaken one is not, and shows in the status."""
    world = World(clock, Manner(escapes=True, chop=(100,)))
    peer = world.peer()
    world.type(b"\\x01\\n\n\nwrong \\q\nla")
    assert sent(peer) == b"\x01\n"
    world.type(b"st")
    world.session.readConnectionLost()
    clock.advance(0)
    assert sent(peer) == b"\x01\nlast"
    assert world.told == [r"not sent: \q is none of \n \r \t \0 \xNN \\"]
    fin(peer)
    gone(peer)
    assert world.written() is ExitStatus.USAGE


def test_whatIsGivenIsSentInPlaceOfInput(clock: Clock) -> None:
    world = World(clock, Manner(given=b"given"))
    world.session.dataReceived(b"typed")
    peer = world.peer()
    world.session.dataReceived(b"typed")
    assert sent(peer) == b"given"
    assert transportOf(peer).halfClosed
    world.session.readConnectionLost()
    fin(peer)
    gone(peer)
    assert world.written() is ExitStatus.OK


def test_withoutInputOurHalfLastsAsLongAsThePeers(clock: Clock) -> None:
    world = World(clock, Manner(noInput=True))
    peer = world.peer()
    world.session.readConnectionLost()
    world.session.dataReceived(b"typed")
    assert not transportOf(peer).halfClosed
    peer.dataReceived(b"all")
    fin(peer)
    gone(peer)
    assert (sent(peer), world.out) == (b"", b"all")
    assert world.written() is ExitStatus.OK


def test_aProbeOnlyConnects(clock: Clock) -> None:
    world = World(clock, Manner(probe=True))
    peer = world.peer()
    gone(peer)
    assert world.written() is ExitStatus.OK


@pytest.mark.parametrize("first", ["we", "they"])
def test_patienceAfterOneSideHasEnded(clock: Clock, first: str) -> None:
    """It is counted from the last byte in either direction."""
    world = World(clock, Manner(patience=2.0))
    peer = world.peer()
    clock.advance(10)
    if first == "we":
        world.session.readConnectionLost()
    else:
        fin(peer)
    clock.advance(1.5)
    if first == "we":
        peer.dataReceived(b"more")
    else:
        world.type(b"more")
    clock.advance(1.9)
    assert not transportOf(peer).disconnecting
    clock.advance(0.2)
    gone(peer)
    assert world.written() is ExitStatus.OK


def test_noPatienceAtAll(clock: Clock) -> None:
    world = World(clock, Manner(patience=0))
    peer = world.peer()
    world.type(b"last words")
    world.session.readConnectionLost()
    gone(peer)
    assert sent(peer) == b"last words"
    assert world.written() is ExitStatus.OK


def test_aResetIsAnErrorOfItsOwn(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    peer.dataReceived(b"half an answer")
    reset(peer)
    assert world.out == b"half an answer"
    assert came(world.written()) == ("the peer reset the connection (RST)", ExitStatus.RESET)


def test_theResultWaitsUntilEverythingIsWritten(clock: Clock) -> None:
    world = World(clock, Manner(noInput=True))
    peer = world.peer()
    peer.dataReceived(b"answer")
    world.session.pauseProducing()
    fin(peer)
    gone(peer)
    assert world.results == []
    assert world.written() is ExitStatus.OK


def test_nobodyReadsStandardOutput(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    world.session.writeConnectionLost()
    assert world.standard.disconnecting is False
    gone(peer)
    (result,) = world.results
    assert came(result) == ("broken pipe: the reader has gone", ExitStatus.BROKEN_PIPE)


def test_standardStreamsThatVanish(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    world.session.connectionLost(Failure(OSError("gone")))
    gone(peer)
    (result,) = world.results
    assert isinstance(result, Failure)


def test_abandonedBeforeItBegan(clock: Clock) -> None:
    session = Session(clock, Manner(), [].append)
    session.abandon()
    results: list[object] = []
    session.done.addBoth(results.append)
    assert results == [ExitStatus.INTERRUPTED]


# Several peers


def test_everybodyGetsTheInputAndIsHeard(clock: Clock) -> None:
    world = World(clock, Manner(keep=True, patience=2.0), listening=True)
    first, second = world.peer(), world.peer()
    world.type(b"all")
    first.dataReceived(b"one ")
    second.dataReceived(b"two")
    assert sent(first) == sent(second) == b"all"
    assert world.out == b"one two"
    world.session.abandon()
    gone(first)
    gone(second)
    world.written()


def test_theEndOfOneIsNotTheEnd(clock: Clock) -> None:
    world = World(clock, Manner(keep=True, patience=2.0), listening=True)
    first = world.peer()
    reset(first)
    assert world.told == ["#1: the peer reset the connection (RST)"]
    assert not world.standard.reading
    second = world.peer()
    world.type(b"hello")
    assert sent(second) == b"hello"
    fin(second)
    clock.advance(2)
    gone(second)
    assert world.results == []
    world.session.abandon()
    world.written()


def test_whoComesAfterTheEndOfInputIsStillHeard(clock: Clock) -> None:
    world = World(clock, Manner(keep=True, patience=2.0), listening=True)
    world.peer()
    world.session.readConnectionLost()
    late = world.peer()
    assert transportOf(late).halfClosed
    late.dataReceived(b"late")
    assert world.out == b"late"
    world.session.abandon()
    for connection in tuple(world.factory.connections):
        gone(connection)  # type: ignore[arg-type]
    world.written()


def test_onlyOneWithoutKeeping(clock: Clock) -> None:
    world = World(clock, listening=True)
    peer = world.peer()
    assert world.factory.buildProtocol(None) is None
    reset(peer)
    assert world.factory.buildProtocol(None) is None
    world.written()


# What is told


def test_narration(clock: Clock) -> None:
    world = World(clock, Manner(narrate=True))
    peer = world.peer()
    world.type(b"hello")
    clock.advance(1.5)
    world.session.readConnectionLost()
    peer.writeConnectionLost()
    peer.dataReceived(b"x")
    clock.advance(60)
    fin(peer)
    gone(peer)
    assert world.told == [
        "    0.000 s  connected to tcp:192.168.1.1:54321, from tcp:10.0.0.1:12345",
        "    1.500 s  we ended our half towards the peer (FIN) after 5 bytes",
        "   61.500 s  the peer ended its half (FIN) after 1 byte",
        "   61.500 s  the peer closed; 5 bytes sent, 1 byte received",
    ]
    world.written()


def test_withoutNarrationNothingIsTold(clock: Clock) -> None:
    world = World(clock)
    peer = world.peer()
    fin(peer)
    world.session.readConnectionLost()
    gone(peer)
    world.written()
    assert world.told == []


# Time


def test_nothingMoves(clock: Clock) -> None:
    world = World(clock, idleTimeout=4.0)
    peer = world.peer()
    clock.pump([1, 1, 1])
    world.type(b"x")
    clock.pump([1, 1, 1])
    peer.dataReceived(b"x")
    clock.pump([1, 1, 1])
    assert not transportOf(peer).disconnecting
    clock.pump([1, 1])
    gone(peer)
    assert came(world.written()) == ("nothing moved for 4 s", ExitStatus.TIMED_OUT)
