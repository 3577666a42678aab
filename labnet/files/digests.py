"""
The SHA-256 digests of the folder's files, each computed once.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from labnet.files.refusal import Refusal, Trouble
from labnet.files.store import StoredFile
from labnet.net.logins import InThread

__all__ = ["Digests"]

_PIECE = 1024 * 1024
_MOST_KEPT = 4_096
#: Computed at the same time: threads are few, and others need them, too.
_AT_A_TIME = 2


class _Computation:
    """One that is under way, and who waits for it. When nobody does any more it ends."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.waiting: list[Deferred[str]] = []

    def compute(self) -> str:
        """In a thread: the digest, or an empty text when nobody waits any more."""
        digest = hashlib.sha256()
        at = 0
        while self.waiting:
            piece = os.pread(self.descriptor, _PIECE, at)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
            at += len(piece)
        return ""


class Digests:
    """
    Computes digests in threads, and keeps them for as long as the file stays as it is.

    @param inThread: where.
    """

    def __init__(self, inThread: InThread) -> None:
        self._inThread = inThread
        self._turns = DeferredSemaphore(_AT_A_TIME)
        self._kept: OrderedDict[tuple[int, ...], str] = OrderedDict()
        self._underWay: dict[tuple[int, ...], _Computation] = {}

    def of(self, stored: StoredFile) -> Deferred[str]:
        """
        The digest of an open file; the file may be closed meanwhile.

        @return: fires with the hexadecimal digits; fails with L{Refusal} when it can not be read.
        """
        answer: Deferred[str] = Deferred(lambda cancelled: self._forget(stored.identity, cancelled))
        kept = self._kept.get(stored.identity)
        if kept is not None:
            self._kept.move_to_end(stored.identity)
            answer.callback(kept)
            return answer
        computation = self._underWay.get(stored.identity)
        if computation is not None:
            computation.waiting.append(answer)
            return answer
        # A copy, so that the number does not become that of another file before the thread is done.
        computation = self._underWay[stored.identity] = _Computation(os.dup(stored.descriptor))
        computation.waiting.append(answer)
        computed: Deferred[str] = self._turns.run(self._inThread, computation.compute)
        computed.addBoth(self._computed, stored.identity, computation)
        return answer

    def _forget(self, identity: tuple[int, ...], answer: Deferred[str]) -> None:
        computation = self._underWay.get(identity)
        if computation is not None:
            computation.waiting = [other for other in computation.waiting if other is not answer]
            if not computation.waiting:
                # It ends by itself; whoever comes now begins anew.
                del self._underWay[identity]

    def _computed(
        self, result: str | Failure, identity: tuple[int, ...], computation: _Computation
    ) -> None:
        os.close(computation.descriptor)
        if self._underWay.get(identity) is computation:
            del self._underWay[identity]
        if isinstance(result, str) and result:
            self._kept[identity] = result
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        waiting, computation.waiting = computation.waiting, []
        for answer in waiting:
            if isinstance(result, str):
                answer.callback(result)
            else:
                answer.errback(Refusal(Trouble.DAMAGED, "the file can not be read"))
