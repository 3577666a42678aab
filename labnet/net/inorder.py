"""
Services of which one has to see the end of another.
"""

from __future__ import annotations

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred

__all__ = ["InOrder"]


class InOrder(MultiService):
    """
    Services that start one after another, and stop in the opposite order, each when the one after it has
    stopped. (In a L{MultiService} they all stop at the same time.)
    """

    def stopService(self) -> Deferred[None]:
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for service in reversed(list(self)):
            await maybeDeferred(service.stopService)

    def reload(self) -> None:
        """Pass it on to every service that knows what to do."""
        for service in self:
            reload = getattr(service, "reload", None)
            if reload is not None:
                reload()
