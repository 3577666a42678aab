"""
What has become of a Deferred by now.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["resultOf"]

T = TypeVar("T")


def resultOf(deferred: Deferred[T]) -> T:
    """
    The result of a Deferred that has one by now; its failure is taken from it, and its exception raised.

    @raise AssertionError: it has none yet.
    """
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    assert results, f"there is no result yet: {deferred!r}"
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    assert not isinstance(result, Failure)
    return result
