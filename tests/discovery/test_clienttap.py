"""
The command C{labnet discovery}: what it asks, prints and ends with.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.discovery.clienttap import Options, makeService, run
from labnet.discovery.server import DiscoveryProtocol
from labnet.net.console import Console
from labnet.net.endpoints import DatagramTarget
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from tests.discovery.network import Network, Served


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


@pytest.fixture
def network() -> Iterator[Network]:
    """A network with a real address server."""
    network = Network()
    served = Served(DiscoveryProtocol(network))
    network.answerer = served.ask
    yield network
    served.stop()
    assert network.getDelayedCalls() == []
    assert network.ports == []


def command(network: Network, *arguments: str) -> tuple[int, str, str]:
    """Run the command to its end: exit status, output, complaints."""
    out, err = io.StringIO(), io.StringIO()
    results: list[int | Failure] = []
    running = run(network, parsed(*arguments), Console(out, err))
    Deferred.fromCoroutine(running).addBoth(results.append)
    network.pump([0.1] * 50)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    assert isinstance(result, int)
    return result, out.getvalue(), err.getvalue()


def test_toldNothingItAsksTheDefaultAddressServer() -> None:
    assert parsed().target == DatagramTarget("127.0.0.1", 10001)


@pytest.mark.parametrize("form", [[], ["--form", "A"], ["--form", "B"]])
def test_eachFormPrintsTheAddress(network: Network, form: list[str]) -> None:
    assert command(network, *form) == (0, "localhost:9000\n", "")


def test_theFormsAreTheCoursesBytes(network: Network) -> None:
    command(network)
    command(network, "--form", "B")
    assert network.requests == [b"Hello server", b"GET"]


def test_registerLookUpListAndUnregister(network: Network) -> None:
    assert command(network, "--register", "a=127.0.0.1:1", "--ttl", "70") == (0, "70\n", "")
    assert command(network, "--register", "b=[::1]:2") == (0, "60\n", "")
    assert command(network, "--list") == (0, "a\nb\n", "")
    assert command(network, "--lookup", "b") == (0, "[::1]:2\n", "")
    assert command(network, "--unregister", "a=127.0.0.1:1") == (0, "", "")
    assert command(network, "--list") == (0, "b\n", "")


def test_aListOfNothingIsNothing(network: Network) -> None:
    assert command(network, "--list") == (0, "", "")


def test_aListThatIsCutIsSaidSo(network: Network) -> None:
    for i in range(30):
        command(network, "--register", f"{i:063}=127.0.0.1:1", "--ttl", "3600")
    status, out, err = command(network, "--list")
    assert (status, err) == (0, "there are more names than fit the answer\n")
    assert 10 < len(out.split()) < 30


def test_aNameThatNobodyHasIsAnError(network: Network) -> None:
    with pytest.raises(ClientError, match="nothing is registered as a") as caught:
        command(network, "--lookup", "a")
    assert caught.value.status is ExitStatus.ANSWERED_ERROR


def test_aRefusalIsAnError(network: Network) -> None:
    with pytest.raises(ClientError, match="not your address"):
        command(network, "--register", "a=192.0.2.1:1")


def test_timeoutAndTriesAreUsed(network: Network) -> None:
    network.answerer = None
    with pytest.raises(Exception, match="in 2 tries"):
        command(network, "--tries", "2", "--timeout", "0.5")
    assert network.seconds() >= 1.0
    assert len(network.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ask", "127.0.0.1:1"], "--ask: '127.0.0.1:1' is not of the form udp:HOST:PORT"),
        (["--ask", "udp:h:0"], "--ask: 'udp:h:0': the port must be a number from 1 to 65535"),
        (["--form", "C"], "--form: 'C' is none of A, B"),
        (["--lookup", "a b"], "--lookup: 'a b' is no name of a service"),
        (["--lookup", "a", "--list"], "--lookup and --list: use one of them"),
        (["--form", "B", "--lookup", "a"], "--form goes with the course's question only"),
        (["--register", "a"], "--register: 'a' is not of the form NAME=HOST:PORT"),
        (["--register", "a=b"], "--register: 'b': no port"),
        (["--unregister", "GET=b:1"], "--unregister: 'GET' is no name of a service"),
        (["--ttl", "0"], "--ttl: '0' is not a whole number from 1 to 3600"),
        (["--tries", "0"], "--tries: '0' is not a whole number at least 1"),
        (["surplus"], "Wrong number of arguments."),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == sentence


def test_asAServiceItIsAClient() -> None:
    assert isinstance(makeService(parsed()), ClientService)
