"""
C{--workers}: what it refuses, and what it makes.
"""

from __future__ import annotations

import pytest
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError
from twisted.scripts.twistd import ServerOptions as Twistd

from labnet.net.direct import DirectServerEndpoint
from labnet.net.inheritance import Holding, Inheriting
from labnet.net.service import listeners
from labnet.net.workers import Workers
from labnet.proxy.tap import Options, makeService


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def test_withoutItThisProcessServes(memory: MemoryReactorClock) -> None:
    options = parsed()
    assert not options.supervises
    assert options.listeningReactor is memory
    assert not isinstance(makeService(options), Workers)


def test_withItThisProcessHolds(memory: MemoryReactorClock) -> None:
    """The supervisor has the listeners, and nothing that serves."""
    options = parsed("--workers", "2", "--listen", "tcp:0", "--listen", "haproxy:tcp:0")
    assert options.supervises
    assert isinstance(options.listeningReactor, Holding)
    service = makeService(options)
    assert isinstance(service, Workers)
    assert len(list(listeners(service))) == 2


def test_aWorkerServesWhatItInherits(memory: MemoryReactorClock) -> None:
    """The same command line makes the proxy itself, listening on the sockets it was given."""
    options = Options()
    options.inherited = [7]
    options.parseOptions(["--workers", "2", "--listen", "tcp:0"])
    assert not options.supervises
    assert isinstance(options.listeningReactor, Inheriting)
    assert not isinstance(options.listening[0].where, DirectServerEndpoint)
    service = makeService(options)
    assert isinstance(service, MultiService)
    assert not isinstance(service, Workers)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workers", "-1"], "--workers: '-1' is not a whole number from 0 to 256"),
        (["--workers", "two"], "--workers: 'two' is not a whole number"),
        (["--workers", "2", "--listen", "unix:/x"], "'unix:/x': workers listen on tcp:, tcp6:, ssl: only"),
        (["--workers", "2", "--listen", "haproxy:unix:/x"], "--workers: 'haproxy:unix:/x': workers listen"),
    ],
)  # fmt: skip
def test_mistakesAreOneLine(arguments: list[str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parsed(*arguments)
    assert says in str(raised.value)


def test_thereIsNoPythonInAChroot() -> None:
    """Workers are started when twistd has gone there."""
    with pytest.raises(SystemExit) as raised:
        Twistd().parseOptions(["--chroot", "/x", "labnet-proxy", "--workers", "2", "--listen", "tcp:0"])
    assert "--workers and --chroot: use one of them" in str(raised.value)
