"""
C{twistd labnet-chat}: one room, and any number of ways into it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.chat.room import Room
from labnet.chat.server import ChatFactory, ChatLimits, LiveRoom, Member
from labnet.chat.web import pageFactory
from labnet.chat.wire import DIALECTS, PLAIN, PLAIN_EXTRAS
from labnet.net.connection import ServiceFactory
from labnet.net.endpoints import DatagramAddress, isHost
from labnet.net.options import Listening, ServerOptions, UsageError, number
from labnet.net.service import StreamListener

__all__ = ["Options", "makeService"]

_WEB = "web"


class Options(ServerOptions):
    """The chat's options."""

    synopsis = "[options]"
    longdesc = (
        "A chat room. --listen tcp:PORT is for the course's clients, line=tcp:PORT for lines, "
        "framed=tcp:PORT for length-prefixed messages, web=tcp:PORT for browsers; all of them are in "
        "the same room."
    )

    entry: ClassVar[Entry] = entryFor("chat", Kind.SERVER)
    variants: ClassVar[tuple[str, ...]] = (*DIALECTS, _WEB)
    # Whoever only listens is silent, and a peer that has vanished is found out otherwise.
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 0.0}

    optParameters = [
        ["history", None, 50, "Messages that a newcomer is shown.", number(int, "history", 0, 10_000)],
        ["max-members", None, 10_000, "People in the room at the same time.",
         number(int, "max-members", 1)],
        ["max-message", None, 4_096, "Bytes in a message.", number(int, "max-message", 1, 65_536)],
        ["message-rate", None, 20.0, "Messages a second from one member, sustained; 0: no limit.",
         number(float, "message-rate", 0.0)],
        ["message-burst", None, 100, "Messages at once from a member that was silent.",
         number(int, "message-burst", 1)],
        ["join-rate", None, 50.0, "People a second from one address, sustained; 0: no limit.",
         number(float, "join-rate", 0.0)],
        ["max-backlog", None, 262_144, "Bytes that may wait for a member that does not read.",
         number(int, "max-backlog", 0)],
        ["stall-timeout", None, 60.0, "Seconds such a member has to read them; 0: no limit.",
         number(float, "stall-timeout", 0.0)],
        ["name-timeout", None, 60.0, "Seconds somebody has to give a name; 0: no limit.",
         number(float, "name-timeout", 0.0)],
        ["ghost-timeout", None, 90, "Seconds until a member whose machine vanished is gone; 0: hours.",
         number(int, "ghost-timeout", 0, 32_767)],
    ]  # fmt: skip

    optFlags = [
        ["plain-extras", None, "Plain members get history, commands and their texts, too: more than the "
         "course's client knows."],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self["web-host"] = []

    def opt_web_host(self, host: str) -> None:
        """
        A name under which browsers may reach the page; may be repeated. Without one it is localhost and
        addresses only, so that no other site's name can be made to lead here.
        """
        self["web-host"].append(host)

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: the chat has streams only")
        for host in self["web-host"]:
            if not isHost(host) or ":" in host:
                raise UsageError(f"--web-host: {host!r} is not the name of a host")

    @property
    def chatLimits(self) -> ChatLimits:
        """The room's limits."""
        return ChatLimits(
            longest=self["max-message"],
            rate=self["message-rate"],
            burst=self["message-burst"],
            joins=self["join-rate"],
            backlog=self["max-backlog"],
            stall=self["stall-timeout"],
            naming=self["name-timeout"],
        )


def makeService(options: Options) -> MultiService:
    """The chat as a service: one room, and a listener for each way into it."""
    room: Room[Member] = Room(
        mostMembers=options["max-members"],
        history=options["history"],
        # Escaped for a browser it is up to twice as long; and half is for what is said meanwhile.
        historyBytes=options["max-backlog"] // 4,
    )
    live = LiveRoom(options.reactor, room, options.chatLimits)
    service = MultiService()
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = _factory(options, listening, live)
        detail = listening.variant or PLAIN.name
        service.addService(StreamListener("chat", listening.where, factory, detail))
    return service


def _factory(options: Options, listening: Listening, live: LiveRoom) -> ServiceFactory:
    sockets = replace(options.sockets, patience=options["ghost-timeout"])
    if listening.variant == _WEB:
        return pageFactory(
            options.reactor, live, options["web-host"], limits=options.limits, sockets=sockets
        )
    dialect = DIALECTS[listening.variant or PLAIN.name]
    if dialect is PLAIN and options["plain-extras"]:
        dialect = PLAIN_EXTRAS
    return ChatFactory(options.reactor, live, dialect, limits=options.limits, sockets=sockets)
