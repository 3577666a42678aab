"""
A proxy that can be given other rules while it runs.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import MultiService
from twisted.logger import Logger
from twisted.python.usage import UsageError

from labnet.net.logs import counted
from labnet.net.service import StreamListener, listeners
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.policy import Policy

__all__ = ["ReloadingService"]


class ReloadingService(MultiService):
    """
    The proxy's listeners. Exchanges that are under way end with the rules with which they began.

    @param read: reads the rules and pages once more; raises C{UsageError} if they are wrong now.
    """

    log = Logger()

    def __init__(self, read: Callable[[], Policy]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._read = read

    def reload(self) -> None:
        """Read the rules and pages again. If they are wrong now, those there are stay in force."""
        try:
            policy = self._read()
        except UsageError as error:
            self.log.error("proxy: the rules stay as they were: {problem}", problem=str(error))
            return
        for listener in listeners(self):
            if isinstance(listener, StreamListener) and isinstance(listener.factory, ProxyFactory):
                listener.factory.policy = policy
        self.log.info("proxy: {rules} in force", rules=counted(len(policy.rules), "rule"))
