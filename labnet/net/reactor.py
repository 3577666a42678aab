"""
An epoll reactor with a shorter way from the poller to the descriptor.

Twisted wraps each event in a logging context that names the descriptor. That is a fifth of the time of
a small exchange, and our log lines name their connections themselves. C{twistd --reactor labnet} uses
this one; nothing needs it.
"""

from __future__ import annotations

import errno
from select import EPOLLIN

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

__all__ = ["BareEPollReactor", "install"]


class BareEPollReactor(EPollReactor):
    """
    Calls descriptors directly. What they raise is caught and logged, and ends them, as in its base.
    """

    log = Logger()

    def doPoll(self, timeout: float | None) -> None:
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        selectables = self._selectables
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            if event != EPOLLIN:
                self._doReadOrWrite(selectable, descriptor, event)  # type: ignore[no-untyped-call]
                continue
            # By far the most frequent event, without the detours of the general case.
            try:
                why = selectable.doRead()
            except BaseException as error:
                self.log.failure("a bug in a descriptor")
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)  # type: ignore[no-untyped-call]

    doIteration = doPoll


def install() -> None:
    """Make it the process's reactor, before there is another."""
    installReactor(BareEPollReactor())  # type: ignore[no-untyped-call]
