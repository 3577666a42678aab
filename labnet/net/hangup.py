"""
C{SIGHUP}, by which a service is told to read its files again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service

__all__ = ["HangupService", "onHangup"]


class _Reactor(Protocol):
    def callFromThread(self, callable: Callable[..., object], *args: object) -> object: ...


def onHangup(reactor: _Reactor, call: Callable[[], object]) -> Callable[[], None]:
    """
    Call something in the reactor whenever the process gets C{SIGHUP}. Whoever was called before goes on to
    be: so one signal reaches all services of a process. Where there is no such signal, as on Windows, or in
    a thread that can not ask for it, nothing happens.

    @return: makes an end of it.
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        return _nothing
    before = signal.getsignal(number)
    asked = True

    def hangup(number: int, frame: object) -> None:
        if asked:
            reactor.callFromThread(call)
        if callable(before):
            before(number, None)

    def end() -> None:
        nonlocal asked
        asked = False
        if signal.getsignal(number) is hangup:
            signal.signal(number, signal.SIG_DFL if before is None else before)

    try:
        signal.signal(number, hangup)
    except ValueError:
        # Only the main thread may.
        return _nothing
    return end


def _nothing() -> None:
    pass


class HangupService(Service):
    """
    As long as it runs, calls something whenever the process gets C{SIGHUP}; see L{onHangup}.
    """

    def __init__(self, reactor: _Reactor, call: Callable[[], object]) -> None:
        self._reactor = reactor
        self._call = call
        self._end: Callable[[], None] = _nothing

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._end = onHangup(self._reactor, self._call)

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        self._end()
