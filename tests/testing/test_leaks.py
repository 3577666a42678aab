"""
What is known of Deferreds that failed, before they are collected.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.internet import defer

from labnet.testing import LoggedFailures
from labnet.testing.leaks import UnheardFailures


@pytest.fixture
def unheard() -> Iterator[UnheardFailures]:
    unheard = UnheardFailures()
    unheard.start()
    yield unheard
    unheard.stop()


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time that everything is collected."""
    collections: list[None] = []
    collect = gc.collect
    monkeypatch.setattr(gc, "collect", lambda: (collections.append(None), collect()))
    return collections


def test_nothingIsCollectedAfterACleanTest(unheard: UnheardFailures, collections: list[None]) -> None:
    """Not for a Deferred that waits, nor for one whose failure was heard."""
    waiting: defer.Deferred[None] = defer.Deferred()
    heard: defer.Deferred[None] = defer.fail(ValueError())
    heard.addErrback(lambda failure: None)
    unheard.collect()
    assert not collections
    assert not waiting.called


def test_aFailureInACycleIsFound(
    unheard: UnheardFailures, collections: list[None], loggedFailures: LoggedFailures
) -> None:
    """Nothing but a collection would find it."""
    failed: defer.Deferred[None] = defer.Deferred()
    failed.itself = failed  # type: ignore[attr-defined]
    failed.errback(ValueError("nobody"))
    del failed
    assert not loggedFailures.report()
    unheard.collect()
    assert len(collections) == 1
    assert loggedFailures.flush(ValueError)
    unheard.collect()
    assert len(collections) == 1


def test_wereTwistedToDoItOtherwise(monkeypatch: pytest.MonkeyPatch, collections: list[None]) -> None:
    """Everything is collected each time: slow, and nothing is missed."""
    monkeypatch.setattr(UnheardFailures, "possible", False)
    unheard = UnheardFailures()
    unheard.start()
    unheard.collect()
    unheard.stop()
    assert len(collections) == 1


def test_itLeavesNothingBehind() -> None:
    before = defer.DebugInfo
    unheard = UnheardFailures()
    unheard.start()
    assert defer.DebugInfo is not before
    unheard.stop()
    assert defer.DebugInfo is before
