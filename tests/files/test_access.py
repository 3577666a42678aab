"""
Passwords, who may write, and bytes a second.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.files.access import Access, IWriter, PasswordChecker, WriterRealm
from labnet.files.pace import Pace
from labnet.files.passwords import BadPasswordFile, hashed, parsePasswords
from labnet.files.refusal import Refusal, Trouble
from tests.files.world import PASSWORDS, SECRET, Threads, atOnce

# The file


def test_aLineIsReadBack() -> None:
    made = hashed("\u00fc:secret")
    parsed = parsePasswords(f"# a comment\n\n{made.line('joe')}\n{SECRET.line('jim')}")
    assert parsed == {"joe": made, "jim": SECRET}
    assert made.matches("\u00fc:secret")
    assert made.matches("u\u0308:secret"), "composed by another keyboard"
    assert not made.matches("\u00fc:Secret")
    assert hashed("x").salt != hashed("x").salt


@pytest.mark.parametrize(
    "line",
    [
        "joe", "joe:secret", "joe:md5:16384:8:5:c2FsdA==:aGFzaA==", ":" + SECRET.line("x")[2:],
        "joe:scrypt:16384:8:5:c2FsdA==:aGFzaA==",
        SECRET.line("joe").replace(":2:", ":3:"), SECRET.line("joe").replace(":2:", ":0:"),
        SECRET.line("joe").replace(":8:", ":x:"),
        SECRET.line("joe").replace(":2:", ":1073741824:"), SECRET.line("joe").replace(":1:", ":1000:"),
        SECRET.line("joe") + "!",
        SECRET.line("joe") + "\n" + SECRET.line("joe"),
    ],
)  # fmt: skip
def test_aMistakeInTheFileIsOneLine(line: str) -> None:
    with pytest.raises(BadPasswordFile) as caught:
        parsePasswords(f"# comment\n{line}")
    assert str(caught.value).startswith("line ")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_anyTextIsReadOrRefused(text: str) -> None:
    with suppress(BadPasswordFile):
        parsePasswords(text)


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


def test_aNameThatNobodyHasCostsAsMuch(clock: Clock) -> None:
    """So that the time does not tell which names there are."""
    threads = Threads()
    access = Access(clock, PASSWORDS, threads)
    waiting = [
        Deferred.fromCoroutine(access.login(f"h{at}", user, "x")) for at, user in enumerate(("joe", "jim"))
    ]
    assert len(threads.waiting) == 2
    threads.runOne()
    threads.runOne()
    for deferred in waiting:
        assert isinstance(outcome(deferred), Refusal)


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


def test_twoHashesAtATimeAndAShortQueue(clock: Clock) -> None:
    threads = Threads()
    checker = PasswordChecker(PASSWORDS, threads)
    waiting = [checker.requestAvatarId(UsernamePassword(b"joe", b"secret")) for _ in range(5)]
    assert (len(threads.waiting), checker.waiting) == (2, 3)
    while threads.waiting:
        threads.runOne()
    assert [outcome(deferred) for deferred in waiting] == [b"joe"] * 5


def test_aPasswordIsComputedOnce(clock: Clock) -> None:
    threads = Threads()
    checker = PasswordChecker(PASSWORDS, threads)
    first = checker.requestAvatarId(UsernamePassword(b"joe", b"secret"))
    threads.runOne()
    assert outcome(first) == b"joe"
    assert outcome(checker.requestAvatarId(UsernamePassword(b"joe", b"secret"))) == b"joe"
    assert not threads.waiting
    other = checker.requestAvatarId(UsernamePassword(b"joe", b"other"))
    threads.runOne()
    assert isinstance(outcome(other), UnauthorizedLogin)


def test_theRealmHasWritersOnly() -> None:
    assert WriterRealm().requestAvatar(b"joe", None, IWriter)[:2] == (IWriter, b"joe")
    with pytest.raises(NotImplementedError):
        WriterRealm().requestAvatar(b"joe", None)


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
