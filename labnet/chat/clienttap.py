"""
C{labnet chat} and C{twistd labnet-chat-client}: talk in a chat room.
"""

from __future__ import annotations

import os
import random
import sys
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from labnet.catalogue import Entry, Kind, entryFor
from labnet.chat.client import ChatClient, ChatClientFactory, NameRefused
from labnet.chat.screen import Screen
from labnet.chat.wire import DIALECTS
from labnet.net.console import Console
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, choice, globalReactor, number
from labnet.net.outcome import ExitStatus, explain
from labnet.net.service import ClientService

__all__ = ["Conversation", "Options", "makeService", "run"]

_LONGEST_WAIT = 30.0
# Seconds that the server has to send the rest after we have said everything.
_REST = 10.0


class Options(CommandOptions):
    """The options of the chat's client."""

    synopsis = "[options]"
    longdesc = (
        "Talks in a chat room. At a terminal the room is above the line you type, /quit leaves. In a pipe, "
        "each line of standard input is a message, the first one the name unless there is --name, and what "
        "the others say goes to standard output."
    )

    entry: ClassVar[Entry] = entryFor("chat", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The chat server, tcp:HOST:PORT or another endpoint."],
        ["name", "n", None, "Your name in the room."],
        ["framing", "f", "auto",
         "auto, plain (the course's), line or framed; auto: see from the server's question.",
         choice("framing", ("auto", *DIALECTS))],
        ["timeout", "t", 5.0, "Seconds to wait for the connection, and for the answer to the name.",
         number(float, "timeout", 0.001)],
        ["retries", "r", 10, "How often in a row to try again after a lost connection.",
         number(int, "retries", 0)],
    ]  # fmt: skip

    optFlags = [["stay", "s", "Stay in the room after the end of standard input."]]

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--connect: {error}") from error


class Conversation:
    """
    One person, or pipe, in a room, over as many connections as it takes.

    @param person: a L{Console} or a L{Screen}.
    @param interactive: whether there is somebody to ask for another name.
    """

    def __init__(self, reactor: Any, options: Options, person: Console | Screen, interactive: bool) -> None:
        self._reactor = reactor
        self._options = options
        self._person = person
        self._interactive = interactive
        self._name: str | None = options["name"]
        self._line: Deferred[str | None] | None = None
        self._wasIn = False

    async def hold(self) -> ExitStatus:
        """Talk until one side has enough."""
        failures = 0
        while True:
            try:
                client = await self._comeIn()
                if client is None:
                    return ExitStatus.OK
                failures = 0
                if await self._talk(client):
                    return ExitStatus.OK
                self._person.complain("connection lost")
            except (ConnectError, ConnectionDone, ConnectionLost, NameRefused, TimeoutError) as error:
                failures += 1
                if not self._wasIn or failures > self._options["retries"]:
                    raise
                self._person.complain(explain(Failure(error))[0])
            if not self._options["retries"]:
                return ExitStatus.RESET
            wait = min(_LONGEST_WAIT, 2.0**failures) * random.uniform(0.75, 1.25)
            self._person.complain(f"trying again in {wait:.1f} s")
            await deferLater(self._reactor, wait)

    async def _comeIn(self) -> ChatClient | None:
        """A client that is in the room, or L{None} when there is nobody to bring in."""
        options = self._options
        if self._name is None and not await self._askName():
            return None
        framing = None if options["framing"] == "auto" else options["framing"]
        endpoint = parseStreamClient(self._reactor, options["connect"], options["timeout"])
        factory = ChatClientFactory(self._reactor, self._person.say, framing, options["timeout"])
        client = cast(ChatClient, await endpoint.connect(factory))
        while True:
            try:
                await client.introduce(self._name or "")
            except NameRefused as refusal:
                if self._wasIn or not self._interactive:
                    # Our own ghost may still have the name; or nobody is there to think of another.
                    client.leave()
                    raise
                self._person.complain(str(refusal))
                if not await self._askName():
                    client.leave()
                    return None
            else:
                self._wasIn = True
                return client

    async def _askName(self) -> bool:
        if self._interactive:
            self._person.complain("your name?")
        line = await self._nextLine()
        self._name = line.strip() if line is not None else None
        return self._name is not None and self._name != "/quit"

    async def _talk(self, client: ChatClient) -> bool:
        """
        Pass on what is typed.

        @return: whether that was all; otherwise the connection is lost.
        """
        while True:
            waiting = self._nextLine()
            await _either(waiting, client.ended)
            if not waiting.called:
                self._line = waiting
                return False
            line = await waiting
            if line is None:
                return await self._atTheEnd(client)
            if line.strip() == "/quit":
                client.leave()
                await client.ended
                return True
            if line.strip():
                try:
                    await client.say(line)
                except (ConnectionDone, ConnectionLost):
                    return False

    async def _atTheEnd(self, client: ChatClient) -> bool:
        if self._options["stay"]:
            # The next connection meets the end of the input again.
            await client.ended
            return False
        client.finish()
        abort = self._reactor.callLater(_REST, client.transport.abortConnection)
        await client.ended
        if abort.active():
            abort.cancel()
        return True

    def _nextLine(self) -> Deferred[str | None]:
        """The next line, or the one that somebody already waits for."""
        line, self._line = self._line, None
        return line if line is not None else Deferred.fromCoroutine(self._person.readLine())


async def _either(one: Deferred[Any], other: Deferred[Any]) -> None:
    """Wait until one of them has fired; neither is touched."""
    fired: Deferred[None] = Deferred()

    def tell(result: Any) -> Any:
        if not fired.called:
            fired.callback(None)
        return result

    one.addBoth(tell)
    other.addBoth(tell)
    await fired


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Talk as the options say, and return the exit status."""
    screen = _screen()
    try:
        return await Conversation(reactor, options, screen or console, screen is not None).hold()
    finally:
        if screen is not None:
            screen.close()


def _screen() -> Screen | None:
    """The terminal, if there is a person at both ends of this process."""
    if sys.__stdin__ is None or sys.__stdout__ is None:
        return None
    try:
        if not (sys.__stdin__.isatty() and sys.__stdout__.isatty()):
            return None
        return Screen(sys.__stdout__, os.ttyname(sys.__stdin__.fileno()))
    except (OSError, ValueError):
        return None


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
