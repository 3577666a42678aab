"""
The command line of the demonstrations.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.usage import UsageError

from labnet.demo import clienttap
from labnet.demo.clienttap import DEMONSTRATIONS, Options, makeService, run
from labnet.demo.demonstration import Demonstration, Measured, Report
from labnet.net.console import Console
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def ran(options: Options) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    done: list[Any] = []
    Deferred.fromCoroutine(run(object(), options, Console(out, err))).addBoth(done.append)
    return done[0], out.getvalue(), err.getvalue()


def test_namesAndAll() -> None:
    assert parsed().chosen == ()
    assert [shown.name for shown in parsed("glued", "--tries", "3", "udp-loop").chosen] == [
        "glued",
        "udp-loop",
    ]
    assert parsed("all").chosen == DEMONSTRATIONS
    with pytest.raises(UsageError, match=r"'gluey' is none of one-recv, glued,.*all"):
        parsed("gluey")
    with pytest.raises(UsageError, match="--tries"):
        parsed("--tries", "0", "glued")


def test_withoutANameThereIsTheList() -> None:
    status, out, _ = ran(parsed())
    assert status == ExitStatus.OK
    assert all(shown.name in out for shown in DEMONSTRATIONS)


@pytest.mark.parametrize(("failed", "status"), [(1, ExitStatus.OK), (0, ExitStatus.ANSWERED_ERROR)])
def test_theStatusSaysWhetherItShowed(monkeypatch: pytest.MonkeyPatch, failed: int, status: int) -> None:
    async def demonstrated(reactor: object, shown: Demonstration, tries: int, seed: int) -> Report:
        return Report((Measured("it", tries, failed), Measured("cured", tries, 0, cure=True)))

    monkeypatch.setattr(clienttap, "demonstrated", demonstrated)
    came, out, err = ran(parsed("glued"))
    assert came == status
    assert f"{failed} of 10 failed" in out
    assert ("did not show this time" in err) == (not failed)


def test_theClientIsAService() -> None:
    assert isinstance(makeService(parsed()), ClientService)
