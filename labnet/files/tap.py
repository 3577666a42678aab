"""
C{twistd labnet-files}: a folder in the course's protocol, in the framed one, and over HTTP.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from labnet.catalogue import Entry, Kind, entryFor
from labnet.files.access import Access
from labnet.files.connection import FilesFactory, Shelf
from labnet.files.digests import Digests
from labnet.files.server import CourseFactory, FramedFactory
from labnet.files.store import Store, StoreLimits
from labnet.files.web import WebFactory
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import Listening, ServerOptions, UsageError, number, readPasswords
from labnet.net.passwords import PasswordHash
from labnet.net.service import StreamListener

__all__ = ["Options", "makeService"]

_DEFAULT_FOLDER = "labnet-files"
_COURSE, _FRAMED, _HTTP = "course", "framed", "http"


class Options(ServerOptions):
    """The file server's options."""

    synopsis = "[options]"
    longdesc = (
        "Gives the files of one folder to whoever asks, and takes files from who has a password. A word "
        "before a place to listen, as in --listen framed=tcp:5001, says which protocol is spoken there: "
        "course, framed or http."
    )

    entry: ClassVar[Entry] = entryFor("files", Kind.SERVER)
    variants: ClassVar[tuple[str, ...]] = (_COURSE, _FRAMED, _HTTP)

    optParameters = [
        ["folder", "f", None, "The folder. Unset it is ./labnet-files, which need not be there: until it "
         "is, there are no files."],
        ["password-file", None, None, "Who may write: lines made by 'labnet files password NAME'. Without "
         "it nobody may."],
        ["largest", None, 2**30, "Bytes of the largest file, either way; 0: no limit.",
         number(int, "largest", 0)],
        ["quota", None, 10 * 2**30, "Bytes of all files together, up to which uploads are taken; 0: no "
         "limit.",
         number(int, "quota", 0)],
        ["most-files", None, 10_000, "Files, likewise; 0: no limit.", number(int, "most-files", 0)],
        ["rate", None, 0.0, "Bytes a second for each connection, each way; 0: as fast as it goes.",
         number(float, "rate", 0.0)],
        ["pause", None, 0.02, "Course: seconds between OK, the size and the first byte; its client takes "
         "what one read gives it for the size.",
         number(float, "pause", 0.005, 10.0)],
        ["quiet", None, 0.02, "Course: seconds without a byte that end a name.",
         number(float, "quiet", 0.001, 10.0)],
    ]  # fmt: skip

    optFlags = [
        ["hidden", None, "Names may begin with a dot."],
        ["no-replace", None, "Nobody may replace a file that is there."],
    ]

    passwords: dict[str, PasswordHash] | None = None

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(
                    f"--listen: {listening.description!r}: files go over streams, not datagrams"
                )
        if self["folder"] is not None and not os.path.isdir(self["folder"]):
            raise UsageError(f"--folder: {self['folder']!r} is no folder")
        if self["password-file"]:
            self.passwords = readPasswords("password-file", self["password-file"])

    def store(self) -> Store:
        """The folder."""
        return Store(
            os.path.abspath(self["folder"] or _DEFAULT_FOLDER),
            StoreLimits(self["largest"], self["quota"], self["most-files"], bool(self["hidden"])),
            create=self["folder"] is None,
            now=self.reactor.seconds,
        )


class _Sweeping(Service):
    """Removes what uploads have left behind that a crash cut off, before there are new ones."""

    log = Logger()

    def __init__(self, store: Store) -> None:
        self._store = store

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        removed = self._store.clean()
        if removed:
            self.log.info("files: removed {removed} unfinished uploads", removed=removed)


def makeService(options: Options) -> MultiService:
    """
    The file server as a service: a listener for each place to listen on, all of the same folder.
    """
    reactor = options.reactor

    def inThread(call: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), call)

    store = options.store()
    shelf = Shelf(
        store,
        Access(reactor, options.passwords, inThread),
        Digests(inThread),
        inThread,
        options["rate"],
        not options["no-replace"],
    )
    service = MultiService()
    service.addService(_Sweeping(store))
    for listening in options.listening:
        service.addService(_listener(options, shelf, listening))
    return service


def _listener(options: Options, shelf: Shelf, listening: Listening) -> StreamListener:
    assert not isinstance(listening.where, DatagramAddress)
    reactor, limits, sockets = options.reactor, options.limits, options.sockets
    kind = listening.variant or _COURSE
    factory: FilesFactory
    if kind == _COURSE:
        factory = CourseFactory(
            reactor,
            shelf,
            quiet=options["quiet"],
            pause=options["pause"],
            limits=limits,
            sockets=sockets,
        )
    elif kind == _FRAMED:
        factory = FramedFactory(reactor, shelf, limits=limits, sockets=sockets)
    else:
        factory = WebFactory(reactor, shelf, limits=limits, sockets=sockets)
    return StreamListener("files", listening.where, factory, kind)
