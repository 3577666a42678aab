"""
The checksums that are kept, each until its time is over.
"""

from __future__ import annotations

from dataclasses import dataclass

from labnet.netcopy.wire import ABSENT, Announcement

__all__ = ["Checksums"]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer to C{KI}, and until when it is given."""

    answer: bytes
    until: float


class Checksums:
    """
    A table of checksums by identifier. The clock is the caller's.

    @param most: how many are kept at a time. When there is no room, what is new is not taken; what is
        there is not pushed out by it, and may be replaced.
    @param longest: seconds that any of them is kept, whatever was asked for.
    """

    def __init__(self, most: int = 10_000, longest: float = 86_400.0) -> None:
        self.most = most
        self.longest = longest
        self._kept: dict[bytes, _Kept] = {}
        # Nothing ends before this, so until then there is no use in looking.
        self._firstEnd = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, announcement: Announcement, now: float) -> bool:
        """Keep a checksum, in place of an older one; return whether there was room for it."""
        identifier = announcement.identifier
        if identifier not in self._kept and len(self._kept) >= self.most:
            self._removeEnded(now)
            if len(self._kept) >= self.most:
                return False
        until = now + min(announcement.seconds, self.longest)
        self._kept[identifier] = _Kept(announcement.length + b"|" + announcement.checksum, until)
        self._firstEnd = min(self._firstEnd, until)
        return True

    def answer(self, identifier: bytes, now: float) -> bytes:
        """The answer to C{KI}: what is kept, as it came; it stays kept."""
        kept = self._kept.get(identifier)
        if kept is not None and kept.until <= now:
            del self._kept[identifier]
            kept = None
        return kept.answer if kept is not None else ABSENT

    def _removeEnded(self, now: float) -> None:
        if now >= self._firstEnd:
            self._kept = {name: kept for name, kept in self._kept.items() if kept.until > now}
            self._firstEnd = min((kept.until for kept in self._kept.values()), default=now)
