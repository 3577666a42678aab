"""
Names and passwords: how they are checked, and how often.
"""

from __future__ import annotations

import pytest
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.logins import IUser, Logins, PasswordChecker, TooManyTries, UserRealm
from tests.passwords import PASSWORDS, Threads, atOnce


def outcome(deferred: Deferred[object]) -> object:
    results: list[object] = []
    deferred.addBoth(results.append)
    (result,) = results
    return result.value if isinstance(result, Failure) else result


def test_whoItIs(clock: Clock) -> None:
    """The name, or that it does not have this password; bytes that are no text have none."""
    logins = Logins(clock, PASSWORDS, atOnce)
    assert outcome(logins.login("h", b"joe", b"secret")) == "joe"
    for number, (name, password) in enumerate(
        [(b"joe", b"Secret"), (b"jim", b"secret"), (b"\xff", b"\xff")]
    ):
        assert isinstance(outcome(logins.login(f"h{number}", name, password)), UnauthorizedLogin)


def test_aNameThatNobodyHasCostsAsMuch(clock: Clock) -> None:
    """So that the time does not tell which names there are."""
    threads = Threads()
    logins = Logins(clock, PASSWORDS, threads)
    waiting = [logins.login(f"h{at}", name, b"x") for at, name in enumerate((b"joe", b"jim"))]
    assert len(threads.waiting) == 2
    threads.runOne()
    threads.runOne()
    assert all(isinstance(outcome(deferred), UnauthorizedLogin) for deferred in waiting)


def test_triesAreCounted(clock: Clock) -> None:
    """By address; who knows the password is not kept out by who does not, not even from there."""
    logins = Logins(clock, PASSWORDS, atOnce)
    assert outcome(logins.login("a", b"joe", b"secret")) == "joe"
    outcomes = [outcome(logins.login("a", b"joe", b"x")) for _ in range(3)]
    assert [type(each) for each in outcomes] == [UnauthorizedLogin, TooManyTries, TooManyTries]
    assert outcome(logins.login("a", b"joe", b"secret")) == "joe"
    clock.advance(1)
    assert isinstance(outcome(logins.login("a", b"joe", b"x")), UnauthorizedLogin)


def test_theQueueIsShort(clock: Clock) -> None:
    """Two hashes at a time, and twenty that wait; whoever comes then is told to come again."""
    threads = Threads()
    logins = Logins(clock, PASSWORDS, threads)
    waiting = []
    for number in range(22):
        waiting.append(logins.login(f"h{number}", b"joe", b"%d" % number))
        clock.advance(1)
    assert len(threads.waiting) == 2
    assert isinstance(outcome(logins.login("late", b"joe", b"secret")), TooManyTries)
    while threads.waiting:
        threads.runOne()
    assert all(isinstance(outcome(deferred), UnauthorizedLogin) for deferred in waiting)


def test_theSameAtTheSameTimeIsOneTry(clock: Clock) -> None:
    """A browser asks over several connections at once; who leaves in between changes nothing for others."""
    threads = Threads()
    logins = Logins(clock, PASSWORDS, threads)
    waiting = [logins.login("h", b"joe", b"secret") for _ in range(6)]
    assert len(threads.waiting) == 1
    waiting[0].cancel()
    threads.runOne()
    assert isinstance(outcome(waiting[0]), CancelledError)
    assert [outcome(deferred) for deferred in waiting[1:]] == ["joe"] * 5
    wrong = [logins.login("h", b"joe", b"guess") for _ in range(6)]
    assert len(threads.waiting) == 1
    threads.runOne()
    assert all(isinstance(outcome(deferred), UnauthorizedLogin) for deferred in wrong)


def test_aPasswordIsComputedOnce() -> None:
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


def test_otherPasswords(clock: Clock) -> None:
    """What was right before the file was read again, and is not in it any more, is wrong from then on."""
    logins = Logins(clock, PASSWORDS, atOnce)
    assert outcome(logins.login("h", b"joe", b"secret")) == "joe"
    logins.replace({"jim": PASSWORDS["joe"]})
    assert isinstance(outcome(logins.login("h", b"joe", b"secret")), UnauthorizedLogin)
    assert outcome(logins.login("other", b"jim", b"secret")) == "jim"


def test_theRealmHasUsersOnly() -> None:
    assert UserRealm().requestAvatar(b"joe", None, IUser)[:2] == (IUser, b"joe")
    with pytest.raises(NotImplementedError):
        UserRealm().requestAvatar(b"joe", None)
