"""
The table of checksums.
"""

from __future__ import annotations

from labnet.netcopy.registry import Checksums
from labnet.netcopy.wire import Announcement


def announcement(identifier: bytes, seconds: int = 60, checksum: bytes = b"abc") -> Announcement:
    return Announcement(identifier, seconds, b"%d" % len(checksum), checksum)


def test_whatIsKeptIsGivenAsItCame() -> None:
    """More than once, and with its length in the digits in which it was sent."""
    checksums = Checksums()
    assert checksums.keep(Announcement(b"1", 60, b"003", b"A|c"), 0.0)
    assert [checksums.answer(b"1", 1.0) for _ in range(2)] == [b"003|A|c"] * 2
    assert checksums.answer(b"2", 1.0) == b"0|"


def test_itEndsWithItsTime() -> None:
    checksums = Checksums(longest=100.0)
    checksums.keep(announcement(b"1", 60), 0.0)
    checksums.keep(announcement(b"2", 10**9), 0.0)
    checksums.keep(announcement(b"3", 0), 0.0)
    assert checksums.answer(b"3", 0.0) == b"0|"
    assert checksums.answer(b"1", 59.9) == b"3|abc"
    assert checksums.answer(b"1", 60.0) == b"0|"
    assert checksums.answer(b"2", 99.9) == b"3|abc"
    assert checksums.answer(b"2", 100.0) == b"0|"


def test_theLastOneCounts() -> None:
    checksums = Checksums()
    checksums.keep(announcement(b"1", 60, b"old"), 0.0)
    checksums.keep(announcement(b"1", 5, b"newer"), 1.0)
    assert checksums.answer(b"1", 5.9) == b"5|newer"
    assert checksums.answer(b"1", 6.0) == b"0|"


def test_aFullTableTakesNothingNewUntilSomethingEnds() -> None:
    checksums = Checksums(most=2)
    assert checksums.keep(announcement(b"1", 10), 0.0)
    assert checksums.keep(announcement(b"2", 20), 0.0)
    assert not checksums.keep(announcement(b"3"), 9.9)
    assert checksums.keep(announcement(b"2", 20, b"again"), 9.9)
    assert checksums.keep(announcement(b"3"), 10.0)
    assert not checksums.keep(announcement(b"4"), 10.0)
    assert len(checksums) == 2
    assert checksums.answer(b"1", 10.0) == b"0|"
    assert checksums.answer(b"2", 10.0) == b"5|again"
