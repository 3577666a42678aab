"""
Who looks at the page: each is told what changes, a few times a second and never more than it reads.

While nobody looks nothing is computed, and the trace tells us nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.dashboard.ladder import Ladders
from labnet.dashboard.rates import SECONDS, Rates
from labnet.dashboard.scene import Scene
from labnet.dashboard.selection import Selection, newest
from labnet.dashboard.wire import row, serverSent
from labnet.net.capture import dissected
from labnet.net.site import connectionOf
from labnet.net.trace import Conversation, Event

__all__ = ["MOST_ROWS", "STALL", "TICK", "Viewer", "Viewers"]

#: Seconds between two messages to a viewer, at least.
TICK = 0.25
#: Conversations in the list.
MOST_ROWS = 200
#: Seconds for which one that did not keep up gets summaries only.
_REST = 5.0
#: Seconds after which one that does not read at all is disconnected.
STALL = 60.0


@implementer(IPushProducer)
class Viewer:
    """
    A page that is open somewhere.

    @ivar selection: what it shows.
    @ivar behind: whether it has not read what it was sent; it is sent nothing then.
    """

    def __init__(self, viewers: Viewers, request: Any, selection: Selection) -> None:
        self.selection = selection
        self._viewers = viewers
        self._request = request
        self._fullSince: float | None = None
        self._summariesUntil = 0.0
        self._fresh = True
        self._shown: set[int] = set()
        self._more = 0
        self._second = 0

    @property
    def behind(self) -> bool:
        return self._fullSince is not None

    def begin(self) -> None:
        """Send the head of the stream, and everything there is."""
        request = self._request
        connectionOf(request).streaming = True
        request.setHeader(b"Content-Type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"X-Accel-Buffering", b"no")
        request.notifyFinish().addBoth(lambda result: self._viewers.leave(self))
        request.registerProducer(self, True)
        self.update(self._viewers.now())

    def update(self, now: float) -> None:
        """Send what has changed, unless there is nothing, or it has not read what was before."""
        if self._fullSince is not None:
            self._summariesUntil, self._fresh = now + _REST, True
            if now - self._fullSince >= STALL:
                connectionOf(self._request).drop(f"reads too slowly: has not read for {STALL:g} s")
            return
        summary = now < self._summariesUntil
        message = self._rates(now)
        if self._fresh and not summary:
            message |= self._everything()
        elif not summary:
            message |= self._changes()
        elif message:
            message |= {"kind": "summary", "services": self._viewers.services()}
        if message:
            message.setdefault("kind", "change")
            self._request.write(serverSent(message | {"now": now}))

    def _everything(self) -> dict[str, object]:
        self._fresh = False
        chosen, self._more = self._viewers.chosen(self.selection)
        self._shown = {conversation.id for conversation in chosen}
        return {
            "kind": "state",
            "rows": [row(conversation) for conversation in chosen],
            "more": self._more,
            "services": self._viewers.services(),
            "panels": self._viewers.panels(),
        }

    def _changes(self) -> dict[str, object]:
        message: dict[str, object] = {}
        changed = self._viewers.changed
        if changed:
            chosen, more = self._viewers.chosen(self.selection)
            shown = {conversation.id for conversation in chosen}
            rows = [
                row(conversation)
                for conversation in chosen
                if conversation.id in changed or conversation.id not in self._shown
            ]
            gone = sorted(self._shown - shown)
            if rows or gone or more != self._more:
                message = {"rows": rows, "gone": gone, "more": more}
            self._shown, self._more = shown, more
        if self._viewers.newServices:
            message["services"] = self._viewers.services()
        if self._viewers.newPanels:
            message["panels"] = self._viewers.panels()
        return message

    def _rates(self, now: float) -> dict[str, object]:
        """Whole seconds only: of the one that goes on more may come."""
        last = int(now)
        first = self._second or last - SECONDS
        if last <= first:
            return {}
        self._second = last
        return {
            "second": max(first, last - SECONDS),
            "rates": self._viewers.rates.points(first, last, self.selection.service),
        }

    # IPushProducer: the connection asks for less when the browser does not read.

    def pauseProducing(self) -> None:
        """Nothing more until it has read."""
        self._fullSince = self._viewers.now()

    def resumeProducing(self) -> None:
        """It has read."""
        self._fullSince = None

    def stopProducing(self) -> None:
        """The connection is gone; C{notifyFinish} says so."""


class Viewers:
    """
    All of them.

    @param clock: the reactor, or a C{Clock} in a test.
    @param scene: what they look at.
    @param most: so many at a time.
    @ivar rates: what went over the wire in the last minutes; only while somebody looks.
    @ivar changed: the conversations that something has happened in since the last message.
    @ivar newServices: whether the services have changed since.
    @ivar newPanels: whether the panels have.
    @ivar ladders: the conversations that somebody looks at.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, scene: Scene, most: int = 16) -> None:
        self.scene = scene
        self.most = most
        self.rates = Rates()
        self.changed: set[int] = set()
        self.newServices = self.newPanels = False
        self.ladders = Ladders(dissected)
        self._clock = clock
        self._viewers: dict[Viewer, None] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self._tick: IDelayedCall | None = None
        self._services: list[dict[str, object]] = []
        self._panels: Mapping[str, object] = {}
        self._second = 0
        self._chosen: dict[Selection, tuple[list[Conversation], int]] = {}

    def __len__(self) -> int:
        """How many look."""
        return len(self._viewers)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.seconds()

    def enter(self, request: Any, selection: Selection) -> bool:
        """
        Somebody looks.

        @return: whether there was room.
        """
        if len(self._viewers) >= self.most:
            return False
        if not self._viewers:
            self._begin()
        viewer = Viewer(self, request, selection)
        self._viewers[viewer] = None
        self._chosen.clear()
        viewer.begin()
        return True

    def leave(self, viewer: Viewer) -> None:
        """Somebody looks no more."""
        self._viewers.pop(viewer, None)
        if not self._viewers:
            self._end()

    # What the viewers are told, computed once for all of them.

    def chosen(self, selection: Selection) -> tuple[list[Conversation], int]:
        """The newest conversations of a selection, and how many others there are."""
        found = self._chosen.get(selection)
        if found is None:
            every = self.scene.trace.conversations.values()
            found = self._chosen[selection] = newest(every, selection, MOST_ROWS)
        return found

    def services(self) -> list[dict[str, object]]:
        """The services, and where they listen."""
        return self._services

    def panels(self) -> Mapping[str, object]:
        """What else there is."""
        return self._panels

    def _begin(self) -> None:
        self.rates = Rates()
        self.rates.remember(self.scene.trace.conversations.values(), self.now())
        self._unsubscribe = self.scene.trace.subscribe(self._happened)
        self._look()
        self._tick = self._clock.callLater(TICK, self._tell)

    def _end(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        tick, self._tick = self._tick, None
        if tick is not None and tick.active():
            tick.cancel()
        self.rates = Rates()
        self.changed.clear()
        self._chosen.clear()
        self.ladders.clear()

    def _happened(self, conversation: Conversation, event: Event) -> None:
        self.changed.add(conversation.id)
        self.rates.add(conversation, event)

    def _look(self) -> None:
        """Look at the services, and once a second at the rest."""
        services = self.scene.services()
        self.newServices, self._services = services != self._services, services
        second, self.newPanels = int(self.now()), False
        if second != self._second:
            panels = self.scene.panels(self.now())
            self._second = second
            self.newPanels, self._panels = panels != self._panels, panels

    def _tell(self) -> None:
        self._tick = self._clock.callLater(TICK, self._tell)
        self._chosen.clear()
        self._look()
        now = self.now()
        for viewer in tuple(self._viewers):
            viewer.update(now)
        self.changed.clear()
