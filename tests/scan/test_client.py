"""
The scanner on a network in memory: verdicts, retries, limits, and that nothing is left behind.
"""

from __future__ import annotations

import errno

import pytest
from twisted.internet.defer import CancelledError

from labnet.scan import client
from labnet.scan.client import Pace, Scan, mostAtOnce
from labnet.scan.verdict import ScannedHost, Verdict
from tests.scan.network import REFUSED, SILENCE, Network, host

LOOPBACK = "127.0.0.1"


@pytest.fixture
def network() -> Network:
    return Network()


def finished(network: Network, hosts: list[ScannedHost], pace: Pace | None = None) -> Scan:
    """Scan to the end; nothing may be left open, watched or scheduled."""
    scanning = Scan(network, hosts, pace or Pace(), opener=network.open)
    results: list[None] = []
    scanning.run().addCallback(results.append)
    for _ in range(1_000):
        network.settle()
        calls = network.getDelayedCalls()
        if not calls:
            break
        network.advance(max(0.0, calls[0].getTime() - network.seconds()))
    assert results == [None]
    left(network)
    return scanning


def left(network: Network) -> None:
    assert not network.handles
    assert not network.watched
    assert not network.getDelayedCalls()


@pytest.mark.parametrize("address", ["10.0.0.1", LOOPBACK, "::1"])
@pytest.mark.parametrize("how", ["doWrite", "connectionLost"])
def test_eachAnswerIsAVerdict(network: Network, address: str, how: str) -> None:
    """Whether it comes at once or later, and however the reactor tells."""
    network.answers = {1: [0], 2: [REFUSED], 3: [errno.EHOSTUNREACH], 4: [errno.EACCES]}
    scanned = host(1, 2, 3, 4, address=address)
    if how == "connectionLost":
        plain = network.deliver
        network.deliver = lambda: plain(lambda writer: writer.connectionLost(None))  # type: ignore[method-assign]
    finished(network, [scanned])
    assert list(scanned.verdicts) == [
        Verdict.CONNECTED, Verdict.REFUSED, Verdict.HOST_UNREACHABLE, Verdict.PROHIBITED
    ]  # fmt: skip


def test_aPortIsFilteredOnlyAfterAllTries(network: Network) -> None:
    network.answers = {7: [SILENCE]}
    scanned = host(7)
    finished(network, [scanned], Pace(timeout=1.0, tries=3))
    assert scanned.verdicts[0] == Verdict.NO_ANSWER
    assert len(network.attempts) == 3
    assert network.seconds() == pytest.approx(3.0)


def test_aLaterTryCounts(network: Network) -> None:
    """What was lost once is not called filtered."""
    network.answers = {7: [SILENCE, SILENCE, 0], 8: [SILENCE, REFUSED]}
    scanned = host(7, 8)
    finished(network, [scanned])
    assert list(scanned.verdicts) == [Verdict.CONNECTED, Verdict.REFUSED]


def test_anAnswerThatNobodyHasLookedAtIsNoSilence(network: Network) -> None:
    """When the process was too busy to be told, the time-out looks itself."""
    scanned = host(7)
    network.answers = {7: [0]}
    network.deliver = lambda: 0  # type: ignore[method-assign, assignment]
    finished(network, [scanned])
    assert scanned.verdicts[0] == Verdict.CONNECTED
    assert len(network.attempts) == 1


def test_neverMoreAtOnceThanAllowed(network: Network) -> None:
    scanned = host(*range(1, 200))
    network.answers = {port: [SILENCE] for port in scanned.ports}
    finished(network, [scanned], Pace(atOnce=10, tries=1))
    assert network.highest == 10
    assert set(scanned.verdicts) == {Verdict.NO_ANSWER}


def test_theRateIsKept(network: Network) -> None:
    """100 attempts at 50 a second take at least 99 times a fiftieth of a second."""
    scanned = host(*range(1, 101), address=LOOPBACK)
    times: list[float] = []
    attempted = network.attempted

    def noted(where: tuple[str, int]) -> int:
        times.append(network.seconds())
        return attempted(where)

    network.attempted = noted  # type: ignore[method-assign]
    finished(network, [scanned], Pace(rate=50.0))
    assert len(times) == 100
    assert all(time >= number / 50.0 - 1e-9 for number, time in enumerate(times))
    assert times[-1] < 2.1


def test_tooFewDescriptorsMakeItSlowerAndNotWrong(network: Network) -> None:
    network.most = 5
    scanned = host(*range(1, 101))
    network.answers = {50: [0]}
    finished(network, [scanned])
    assert scanned.open == [50]
    assert list(scanned.having(Verdict.REFUSED)) == [port for port in range(1, 101) if port != 50]


def test_noDescriptorAtAllIsAnError(network: Network) -> None:
    network.most = 0
    result = Scan(network, [host(1)], Pace(), opener=network.open).run()
    network.settle()
    problems: list[object] = []
    result.addErrback(lambda failure: problems.append(failure.trap(OSError)))
    assert problems == [OSError]
    left(network)


def test_noLocalPortLeftIsWaitedFor(network: Network) -> None:
    """It is a shortage of this machine's and says nothing of the other."""
    network.answers = {1: [0], 2: [errno.EADDRNOTAVAIL, REFUSED]}
    network.atOnce = {errno.EADDRNOTAVAIL: errno.EADDRNOTAVAIL}
    scanned = host(1, 2)
    finished(network, [scanned])
    assert list(scanned.verdicts) == [Verdict.CONNECTED, Verdict.REFUSED]


def test_noWayToTheAddressIsAVerdict(network: Network) -> None:
    """With nothing under way it is no shortage: IPv6 is switched off, for one."""
    network.answers = {1: [errno.EADDRNOTAVAIL]}
    network.atOnce = {errno.EADDRNOTAVAIL: errno.EADDRNOTAVAIL}
    scanned = host(1, address="::1")
    finished(network, [scanned])
    assert scanned.verdicts[0] == Verdict.NETWORK_UNREACHABLE


@pytest.mark.parametrize("address", ["10.0.0.1", LOOPBACK])
def test_aConnectionToItselfIsNoOpenPort(network: Network, address: str) -> None:
    """The system may choose the scanned port as the local one; then nobody listens there."""
    network.answers = {40: [0], 41: [0]}
    network.toItself = {40}
    scanned = host(40, 41, address=address)
    finished(network, [scanned])
    assert scanned.open == [41]


def test_portsTakeTurnsOverTheHosts(network: Network) -> None:
    hosts = [host(1, 2, address="10.0.0.1"), host(1, 2, address="10.0.0.2")]
    finished(network, hosts)
    assert network.attempts == [("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.1", 2), ("10.0.0.2", 2)]


def test_lossMakesItSlower(network: Network) -> None:
    """An answer to a second try means that the first was lost; half as many are made at a time then."""
    ports = range(1, 401)
    network.answers = {port: [SILENCE, REFUSED] for port in ports}
    network.answers[400] = [SILENCE]
    scanning = Scan(network, [host(*ports)], Pace(atOnce=200), opener=network.open)
    scanning.run()
    for _ in range(100):
        network.settle()
        calls = network.getDelayedCalls()
        if not calls:
            break
        network.advance(max(0.0, calls[0].getTime() - network.seconds()))
    assert scanning.done == 400
    assert scanning._atOnce < 200
    left(network)


def test_theReactorIsNotHeldUp(network: Network) -> None:
    """Between batches of attempts others have their turn."""
    scanned = host(*range(1, 5_001), address=LOOPBACK)
    done: list[int] = []
    scanning = Scan(network, [scanned], Pace(), done.append, network.open)
    scanning.run()
    network.settle()
    assert done[-1] == 5_000
    assert len(done) >= 9
    left(network)


def test_aRefusedSocketOfOursIsUsedAgain(network: Network) -> None:
    """On Linux and on the loopback interface, where most of the time went into opening and closing."""
    scanned = host(*range(1, 101), address=LOOPBACK)
    finished(network, [scanned])
    assert network.highest == 1
    assert next(network._numbers) == (11 if client._REUSABLE else 110)


def test_cancellingEndsEverything(network: Network) -> None:
    network.answers = {port: [SILENCE] for port in range(1, 50)}
    result = Scan(network, [host(*range(1, 50))], Pace(), opener=network.open).run()
    network.settle()
    assert network.handles
    result.cancel()
    result.addErrback(lambda failure: failure.trap(CancelledError))
    left(network)


def test_aServerMayEndItsFirstWords(network: Network) -> None:
    """
    A connection that was made is half-closed at once, and closed a little later, when what the server
    said is read: a reset would end many a plain program.
    """
    network.answers = {5: [0]}
    scanning = Scan(network, [host(5)], Pace(), opener=network.open)
    results: list[None] = []
    scanning.run().addCallback(results.append)
    network.settle()
    assert (scanning.done, network.ended, len(network.handles), results) == (1, [5], 1, [])
    network.advance(0.2)
    assert results == [None]
    left(network)


def test_manyOpenPortsDoNotKeepManyDescriptors(network: Network) -> None:
    network.answers = {port: [0] for port in range(1, 1_001)}
    scanned = host(*range(1, 1_001))
    finished(network, [scanned], Pace(atOnce=10))
    assert len(scanned.open) == 1_000
    assert network.highest < 100


def test_descriptorsOfThoseWeLeaveAreTakenWhenThereAreNoOthers(network: Network) -> None:
    network.most = 3
    network.answers = {port: [0] for port in range(1, 101)}
    scanned = host(*range(1, 101), address=LOOPBACK)
    finished(network, [scanned])
    assert len(scanned.open) == 100


def test_nothingToScanIsDone(network: Network) -> None:
    assert finished(network, []).done == 0


@pytest.mark.parametrize("limit", [1, 64, 256, 1_024, 20_000])
def test_descriptorsAreLeftForTheRestOfTheProcess(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(client, "raiseDescriptorLimit", lambda: limit)
    assert 1 <= mostAtOnce() <= max(1, limit - min(limit // 2, 128))
