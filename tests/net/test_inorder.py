"""
Services that stop one after another.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from labnet.net.inorder import InOrder


class Part(Service):
    """Takes its time to stop."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events
        self.stopped: Deferred[None] = Deferred()

    def startService(self) -> None:
        self.events.append(f"{self.name} starts")

    def stopService(self) -> Deferred[None]:
        self.events.append(f"{self.name} stops")
        return self.stopped


class Reloadable(Part):
    def reload(self) -> None:
        self.events.append(f"{self.name} reloads")


def test_theLastThatStartsStopsFirst() -> None:
    """The next stops only when it has, and the whole when all have. Whoever can reload, does."""
    events: list[str] = []
    parts = [Part("one", events), Reloadable("two", events)]
    service = InOrder()
    for part in parts:
        service.addService(part)
    service.startService()
    service.reload()
    ended = service.stopService()
    assert events == ["one starts", "two starts", "two reloads", "two stops"]
    parts[1].stopped.callback(None)
    assert events[-1] == "one stops"
    assert not ended.called
    parts[0].stopped.callback(None)
    assert ended.called
    assert not service.running
