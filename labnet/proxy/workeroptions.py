"""
The option that lets several processes serve.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from labnet.net.inheritance import INHERITABLE, Holding, Inheriting
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.sharing import SharedLimits
from labnet.net.workers import Command, Workers

__all__ = ["WorkerOptions"]


class WorkerOptions(ServerOptions):
    """
    C{--workers}. The same command line is read by the supervisor and by each of its workers.

    @ivar inherited: in a worker, the descriptors of the sockets to serve; set before C{parseOptions}.
    @ivar memory: in a worker, the descriptor of the memory that all have, and which of them it is.
    """

    optParameters = [
        ["workers", None, 0, "Processes that serve together, with one more that looks after them; 0: this "
         "one serves.", number(int, "workers", 0, 256)],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.inherited: Sequence[int] | None = None
        self.memory: tuple[int, int] | None = None
        self._folder = ""
        self._arguments: tuple[str, ...] = ()
        self._through: Any = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        self._arguments = tuple(options or ())
        super().parseOptions(options)

    def postOptions(self) -> None:
        super().postOptions()
        if not self["workers"]:
            return
        # twistd may change to another before the workers are started.
        self._folder = os.getcwd()
        for listening in self.listening:
            if listening.description.removeprefix("haproxy:").partition(":")[0] not in INHERITABLE:
                kinds = ", ".join(f"{kind}:" for kind in INHERITABLE)
                raise UsageError(f"--workers: {listening.description!r}: workers listen on {kinds} only")
        if self.parent is not None and self.parent.get("chroot"):
            raise UsageError("--workers and --chroot: use one of them")

    @property
    def supervises(self) -> bool:
        """Whether this process looks after workers, and does not serve."""
        return bool(self["workers"]) and self.inherited is None

    def shared(self) -> SharedLimits | None:
        """What the workers count together; L{None} where one process serves."""
        return None if self.memory is None else SharedLimits(*self.memory, self["workers"])

    @property
    def listeningReactor(self) -> Any:
        if self._through is None:
            if self.inherited is not None:
                self._through = Inheriting(self.reactor, self.inherited)
            else:
                self._through = Holding(self.reactor) if self["workers"] else self.reactor
        return self._through

    def workers(self) -> Workers:
        """What looks after the workers; it still needs the listeners."""
        command = Command(type(self).__module__, self._arguments, self._folder)
        return Workers(self.reactor, command, self["workers"], self["grace"])
