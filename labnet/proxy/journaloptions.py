"""
The options for whoever operates the proxy: the access log, and the page of figures.
"""

from __future__ import annotations

import os
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import MultiService
from twisted.internet.interfaces import IStreamServerEndpoint

from labnet.net.connection import ServiceFactory
from labnet.net.endpoints import BadEndpoint, parseStreamServer
from labnet.net.hosts import BadHost, plainHost
from labnet.net.inheritance import INHERITABLE
from labnet.net.inorder import InOrder
from labnet.net.options import UsageError
from labnet.net.service import StreamListener
from labnet.net.workers import Workers
from labnet.proxy.accessformat import COMBINED, COMMON, BadFormat, Line, jsonLine, lineFormat
from labnet.proxy.accesslog import STANDARD_OUTPUT, AccessLog, LoggedJournal
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.gathering import Gathering
from labnet.proxy.journal import Journal, Journals
from labnet.proxy.metrics import Counts
from labnet.proxy.operations import Operations

if TYPE_CHECKING:
    from labnet.proxy.reloading import ReloadingService
    from labnet.proxy.workeroptions import WorkerOptions as _Options
else:
    _Options = object

__all__ = ["JournalOptions"]

_PROXY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_FORMATS = {"common": COMMON, "combined": COMBINED}


class JournalOptions(_Options):
    """C{--access-log}, C{--admin} and what belongs to them. It is mixed into the proxy's other options."""

    optParameters = [
        ["access-log", None, None, "A file with a line for each request, or - for standard output; then "
         "the log has none."],
        ["access-format", None, "combined", "Its lines: common, combined, json, or a format like "
         "Apache's."],
        ["admin", None, None, "Where to answer /metrics, /health and /proxy.pac: a Twisted endpoint "
         "description."],
        ["pac-proxy", None, None, "HOST:PORT of the proxy for /proxy.pac, where it is not what this "
         "listens on."],
    ]  # fmt: skip

    optFlags = [
        ["no-query", None, "Leave the part of URLs behind the question mark out of the access log."]
    ]

    def __init__(self) -> None:
        super().__init__()
        self["admin-host"] = []
        self["pac-direct"] = []
        self._line: Line | None = None
        self._admin: IStreamServerEndpoint | None = None
        self._accessLog: AccessLog | None = None
        self._journal: Journal | None = None
        self._operations: Operations | None = None

    def opt_admin_host(self, name: str) -> None:
        """
        A name by which --admin may be asked; addresses and localhost always may. May be repeated.
        """
        self["admin-host"].append(_host("admin-host", name))

    def opt_pac_direct(self, name: str) -> None:
        """
        A host that browsers ask directly by /proxy.pac; .DOMAIN is every name below it. May be repeated.
        """
        dot = "." if name.startswith(".") else ""
        self["pac-direct"].append(dot + _host("pac-direct", name.removeprefix(".")))

    def postOptions(self) -> None:
        super().postOptions()
        if self["access-log"]:
            self._readAccessLog(self["access-log"])
        elif self["access-format"] != "combined" or self["no-query"]:
            raise UsageError("--access-format and --no-query: they go with --access-log")
        if self["admin"]:
            self._readAdmin(self["admin"])
        elif self["pac-proxy"] or self["pac-direct"] or self["admin-host"]:
            raise UsageError("--pac-proxy, --pac-direct and --admin-host: they go with --admin")

    def _readAccessLog(self, name: str) -> None:
        how, worker, query = self["access-format"], os.getpid(), not self["no-query"]
        try:
            self._line = (
                jsonLine(worker=worker, query=query)
                if how == "json"
                else lineFormat(_FORMATS.get(how, how), worker=worker, query=query)
            )
        except BadFormat as error:
            raise UsageError(f"--access-format: {error}") from error
        if name == STANDARD_OUTPUT:
            return
        # twistd may change to another directory before it is opened.
        path = self["access-log"] = os.path.abspath(name)
        folder = os.path.dirname(path)
        if os.path.isdir(path):
            raise UsageError(f"--access-log: {name}: it is a directory")
        if not os.path.isdir(folder):
            raise UsageError(f"--access-log: {name}: there is no directory {folder}")

    def _readAdmin(self, description: str) -> None:
        if find_spec("prometheus_client") is None:
            raise UsageError("--admin: it needs the extra 'metrics': pip install 'labnet[metrics]'")
        if self["workers"] and description.partition(":")[0] not in INHERITABLE:
            kinds = ", ".join(f"{kind}:" for kind in INHERITABLE)
            raise UsageError(f"--admin: {description!r}: workers listen on {kinds} only")
        try:
            self._admin = parseStreamServer(self.listeningReactor, description)
        except BadEndpoint as error:
            raise UsageError(f"--admin: {error}") from error
        proxy = self["pac-proxy"]
        if proxy:
            match = _PROXY.fullmatch(proxy)
            if match is None or not 1 <= int(match[2]) <= 65535:
                raise UsageError(f"--pac-proxy: {proxy!r} is not of the form HOST:PORT")

    @property
    def journal(self) -> Journal | None:
        """Who hears of exchanges; L{None} for the log alone."""
        return self._journal

    def surroundings(
        self, proxies: ReloadingService
    ) -> tuple[Workers | InOrder | ReloadingService, MultiService]:
        """
        What is around the proxy: the access log, which is open before the first request and until the last
        is over, and the page of figures, likewise.

        @param proxies: the service that the proxy's listeners belong to when there are no workers.
        @return: all of it as a service, and the service in it that the listeners belong to.
        """
        if self.supervises:
            supervisor = self.workers()
            if self._admin is not None:
                # Workers listen in this order, too.
                supervisor.addService(StreamListener("admin", self._admin, ServiceFactory(self.reactor)))  # type: ignore[no-untyped-call]
            return supervisor, supervisor
        journals: list[Journal] = []
        around = InOrder()  # type: ignore[no-untyped-call]
        if self._line is not None:
            log = self._accessLog = AccessLog(self.reactor, self["access-log"], self._line)
            log.setServiceParent(around)  # type: ignore[no-untyped-call]
            journals.append(log)
        if self._admin is not None:
            if self._accessLog is None:
                journals.append(LoggedJournal(ProxyFactory.log))
            counts = Counts()
            journals.append(counts)
            self._addAdmin(around, counts, self._admin)
        self._journal = Journals(journals) if len(journals) > 1 else next(iter(journals), None)
        if self._journal is None:
            return proxies, proxies
        proxies.setServiceParent(around)  # type: ignore[no-untyped-call]
        return around, proxies

    def _addAdmin(self, around: MultiService, counts: Counts, endpoint: IStreamServerEndpoint) -> None:
        operations = self._operations = Operations(counts, self["pac-proxy"] or "", self["pac-direct"])
        operations.accessLog = self._accessLog
        if self.inherited is not None:
            folder = Path(tempfile.gettempdir(), f"labnet-{os.getuid()}-{os.getppid()}")
            gathering = operations.gathering = Gathering(self.reactor, folder, operations.own)
            gathering.setServiceParent(around)  # type: ignore[no-untyped-call]
        # Only whoever asks for it pays for twisted.web.
        from labnet.proxy.admin import AdminFactory, AdminPages

        pages = AdminPages(
            operations.snapshot, operations.healthy, operations.autoConfiguration, self["admin-host"]
        )
        StreamListener("admin", endpoint, AdminFactory(self.reactor, pages)).setServiceParent(around)  # type: ignore[no-untyped-call]

    def watch(self, listener: StreamListener) -> None:
        """One more listener of the proxy is to be in the figures."""
        if self._operations is not None and isinstance(listener.factory, ProxyFactory):
            self._operations.watch(listener, listener.factory)


def _host(option: str, name: str) -> str:
    try:
        return plainHost(name)
    except BadHost as error:
        raise UsageError(f"--{option}: {error}") from error
