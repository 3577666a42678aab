"""
Passwords, who may write, and bytes a second.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.files.access import Access
from labnet.files.pace import Pace
from labnet.files.refusal import Refusal, Trouble
from tests.passwords import PASSWORDS, atOnce

# Who may write


def outcome(deferred: Deferred[object]) -> object:
    results: list[object] = []
    deferred.addBoth(results.append)
    (result,) = results
    return result.value if isinstance(result, Failure) else result


def login(access: Access, user: str, password: str, host: str = "h") -> object:
    found = outcome(Deferred.fromCoroutine(access.login(host, user, password)))
    return found.trouble if isinstance(found, Refusal) else found


def test_theRightPassword(clock: Clock) -> None:
    access = Access(clock, PASSWORDS, atOnce)
    assert access.writable
    assert login(access, "joe", "secret") == "joe"


@pytest.mark.parametrize(
    ("user", "password"),
    [("joe", "Secret"), ("joe", ""), ("", ""), ("jim", "secret"), ("joe\ud800", "x"), ("joe", "\ud800")],
)
def test_theWrongPassword(clock: Clock, user: str, password: str) -> None:
    assert login(Access(clock, PASSWORDS, atOnce), user, password) is Trouble.DENIED


def test_withoutAFileNobodyMayWrite(clock: Clock) -> None:
    access = Access(clock, None, atOnce)
    assert not access.writable
    assert login(access, "joe", "secret") is Trouble.READ_ONLY
    assert login(Access(clock, {}, atOnce), "joe", "secret") is Trouble.DENIED


def test_triesAreCountedByAddress(clock: Clock) -> None:
    access = Access(clock, PASSWORDS, atOnce)
    assert [login(access, "joe", "x", "a") for _ in range(4)] == [Trouble.DENIED] * 2 + [Trouble.BUSY] * 2
    assert login(access, "joe", "secret", "b") == "joe"
    # Who knows the password is not kept out by who does not; not even from there.
    assert login(access, "joe", "secret", "a") == "joe"
    clock.advance(1)
    assert login(access, "joe", "x", "a") is Trouble.DENIED


def test_triesAreCountedInAll(clock: Clock) -> None:
    access = Access(clock, PASSWORDS, atOnce)
    results = [login(access, "joe", "x", f"host{number}") for number in range(40)]
    assert results.count(Trouble.DENIED) == 20


# Bytes a second


@given(st.integers(1, 10**9), st.lists(st.integers(1, 10**6), min_size=1))
def test_whoWaitsKeepsTheRate(rate: int, amounts: list[int]) -> None:
    """Over the whole time, beyond what one second may bring and the last piece."""
    pace, now, passed = Pace(rate), 0.0, 0
    for amount in amounts:
        passed += amount
        now += pace.delay(amount, now)
    late = Pace.SHORTEST
    assert passed <= rate * (now + 1.0 + late) * 1.001 + 1


def test_withoutARateNobodyWaits() -> None:
    assert Pace(0).delay(10**12, 5.0) == 0.0
    assert Pace(0).most > 10**18


def test_whatWasNotUsedIsKeptForASecond() -> None:
    pace = Pace(100)
    assert pace.delay(100, 1000.0) == 0.0
    assert pace.delay(100, 1000.0) == pytest.approx(1.0)
    assert pace.most == 25
