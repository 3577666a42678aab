"""
The plugin for pytest: each leak is an error, a clean project is left alone, and others notice nothing.
"""

from __future__ import annotations

import pytest

LEAKS = """
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import Logger

log = Logger()

def failed():
    try:
        1 / 0
    except ZeroDivisionError:
        log.failure("a bug that was contained")

def test_aTimerInTheReactor():
    from twisted.internet import reactor
    reactor.callLater(60, print)

def test_nextToIt():
    pass

def test_aFailedDeferred():
    fail(ValueError("nobody"))

def test_aFailedDeferredInACycle():
    waiting = Deferred()
    waiting.itself = waiting
    waiting.errback(ValueError("nobody"))

def test_aLoggedFailure():
    failed()

def test_aTimerInTheClock(clock):
    clock.callLater(60, print)

def test_aLeakInAFixture(leaking):
    pass

def test_aFailureOfItsOwnAndALeak():
    failed()
    assert False, "its own"
"""

FIXTURES = """
import pytest
from twisted.internet.defer import fail

@pytest.fixture
def leaking():
    yield
    fail(ValueError("while it is taken down"))
"""

CLEAN = """
import pytest
from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.logger import Logger

log = Logger()

def failed():
    try:
        1 / 0
    except ZeroDivisionError:
        log.failure("a bug that was {what}", what="contained")

def test_aHandledDeferred():
    fail(ValueError()).addErrback(lambda failure: None)

def test_anExpectedFailure(loggedFailures):
    failed()
    assert [type(error) for error in loggedFailures.flush(ZeroDivisionError)] == [ZeroDivisionError]

def test_anotherOne(loggedFailures):
    failed()
    assert loggedFailures.flush(ValueError) == []
    assert "ZeroDivisionError" in loggedFailures.report()
    assert len(loggedFailures.flush()) == 1

def test_aTimerThatIsOver(clock):
    clock.callLater(1, print)
    clock.advance(1)

def test_whatIsLogged(loggedLines, loggedEvents):
    log.info("hello {name}", name="you")
    assert loggedLines == ["hello you"]
    assert loggedEvents[0]["name"] == "you"

@pytest.mark.labnet_strict(False)
def test_anExcuse():
    fail(ValueError("excused"))

@pytest.mark.labnet_strict(False)
def test_anExcuseThatIsLookedAt(loggedFailures):
    failed()
    assert "ZeroDivisionError" in loggedFailures.report()
"""


@pytest.fixture
def strict(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that has asked for it."""
    pytester.makeini("[pytest]\nlabnet_strict = true\naddopts = --strict-markers\n")
    pytester.makeconftest(FIXTURES)
    return pytester


def test_eachLeakIsAnError(strict: pytest.Pytester) -> None:
    """Of the very test, with what there is to know; a process of its own, for the reactor."""
    strict.makepyfile(LEAKS)
    result = strict.runpytest_subprocess("-v", "-p", "no:twisted")
    result.assert_outcomes(passed=7, failed=1, errors=7)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_aTimerInTheReactor ERROR*",
            "*::test_aFailedDeferred ERROR*",
            "*::test_aFailedDeferredInACycle ERROR*",
            "*::test_aLoggedFailure ERROR*",
            "*::test_aTimerInTheClock ERROR*",
            "*::test_aLeakInAFixture ERROR*",
            "*::test_aFailureOfItsOwnAndALeak FAILED*",
            "*::test_aFailureOfItsOwnAndALeak ERROR*",
            "timers left in the reactor:",
            "timers left in the clock:",
            "failures were logged:",
            "*ValueError: nobody",
            "*ValueError: while it is taken down",
            "*ZeroDivisionError: division by zero",
        ]
    )
    result.stdout.no_fnmatch_line("*::test_nextToIt ERROR*")


def test_aCleanProjectIsLeftAlone(strict: pytest.Pytester) -> None:
    """Also by a failure that is expected, or excused; and no reactor is installed for it."""
    strict.makepyfile(
        CLEAN
        + """
def test_zNoReactor():
    import sys
    assert "twisted.internet.reactor" not in sys.modules
"""
    )
    strict.runpytest_subprocess("-p", "no:twisted").assert_outcomes(passed=8)


def test_whoHasNotAskedNoticesNothing(pytester: pytest.Pytester) -> None:
    """Leaks are nobody's business, Twisted is not imported, and there are no fixtures to collide with."""
    pytester.makeconftest(
        """
import sys
assert not [name for name in sys.modules if name.startswith(("twisted", "labnet.testing"))]
"""
    )
    pytester.makepyfile(
        """
from twisted.internet.defer import fail

def test_aLeak():
    fail(ValueError("nobody"))

def test_aFixtureOfOurs(clock):
    pass
"""
    )
    result = pytester.runpytest_subprocess("-p", "no:twisted")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'clock' not found*"])


def test_singleTestsCanBeHeldToIt(pytester: pytest.Pytester) -> None:
    """Where only the fixtures are loaded: those that are marked, and those with C{loggedFailures}."""
    pytester.makeini("[pytest]\naddopts = --strict-markers\n")
    pytester.makeconftest('pytest_plugins = ["labnet.testing.plugin"]')
    pytester.makepyfile(
        """
import pytest
from twisted.internet.defer import fail

def test_free():
    fail(ValueError("nobody"))

@pytest.mark.labnet_strict
def test_marked():
    fail(ValueError("nobody"))

def test_withTheFixture(loggedFailures):
    fail(ValueError("nobody"))
"""
    )
    result = pytester.runpytest_subprocess("-v", "-p", "no:twisted")
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.no_fnmatch_line("*::test_free ERROR*")
