"""
C{labnet echo} and C{twistd labnet-echo-client}: say something to an echo.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from twisted.internet import error
from twisted.python.failure import Failure

from labnet.catalogue import Entry, Kind, entryFor
from labnet.echo.client import (
    EchoClient,
    FrameReplies,
    LineReplies,
    NotAnEcho,
    QuietReplies,
    connectEcho,
    echoDatagram,
)
from labnet.net.console import Console, legible
from labnet.net.endpoints import BadEndpoint, isDatagram, parseDatagramTarget, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, globalReactor, number
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.net.service import ClientService

__all__ = ["NO_RESPONSE", "Options", "makeService", "run"]

#: What the course's client says when no datagram comes back.
NO_RESPONSE = "No response from server"


class Options(CommandOptions):
    """The options of the echo's client."""

    synopsis = "[options] [WORD ...]"
    longdesc = (
        "Says something to an echo and prints the answer; without words, each line of standard input."
    )

    entry: ClassVar[Entry] = entryFor("echo", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The echo, tcp:HOST:PORT or udp:HOST:PORT."],
        ["timeout", "t", 5.0, "Seconds to wait for each answer; over UDP, for each try.",
         number(float, "timeout", 0.001)],
        ["tries", None, 3, "Over UDP: how often a message is sent at most.", number(int, "tries", 1)],
        ["pause", None, 0.1, "Over TCP: seconds of silence that end an answer, if nothing else does.",
         number(float, "pause", 0.001)],
    ]  # fmt: skip

    optFlags = [
        ["line", "l", "Over TCP: messages and answers are lines."],
        ["framed", "f", "Over TCP: messages and answers have their length in front."],
    ]

    message: bytes | None = None

    def parseArgs(self, *words: str) -> None:
        if words:
            self.message = os.fsencode(" ".join(words))

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self["line"] and self["framed"]:
            raise UsageError("--line and --framed: use one of them")
        for flag in ("line", "framed"):
            if self[flag] and self.datagrams:
                raise UsageError(f"--{flag} is for streams, not for udp")
        try:
            if self.datagrams:
                parseDatagramTarget(self["connect"])
            else:
                parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as problem:
            raise UsageError(f"--connect: {problem}") from problem

    @property
    def datagrams(self) -> bool:
        """Whether it goes over UDP."""
        return isDatagram(self["connect"])


class _Talk:
    """What is said, over whatever transport; a connection that an echo has closed is made anew."""

    def __init__(self, reactor: Any, options: Options) -> None:
        self._reactor = reactor
        self._options = options
        self._client: EchoClient | None = None

    async def say(self, message: bytes) -> bytes:
        options = self._options
        try:
            if options.datagrams:
                return await echoDatagram(
                    self._reactor,
                    parseDatagramTarget(options["connect"]),
                    message,
                    timeout=options["timeout"],
                    tries=options["tries"],
                )
            return await self._sayOverStream(message)
        except error.TimeoutError as problem:
            raise ClientError(NO_RESPONSE, ExitStatus.TIMED_OUT) from problem
        except NotAnEcho as problem:
            raise ClientError(f"this is no echo: {problem}", ExitStatus.NOT_UNDERSTOOD) from problem
        except ValueError as problem:
            raise ClientError(str(problem), ExitStatus.USAGE) from problem

    async def _sayOverStream(self, message: bytes) -> bytes:
        client = self._client
        if client is not None and client.open:
            try:
                return await client.say(message)
            except (error.ConnectionDone, error.ConnectionLost):
                pass  # It was closing when the message went out.
        client = self._client = await self._connect()
        return await client.say(message)

    async def _connect(self) -> EchoClient:
        options = self._options
        replies = FrameReplies if options["framed"] else LineReplies if options["line"] else QuietReplies
        return await connectEcho(
            self._reactor,
            parseStreamClient(self._reactor, options["connect"], options["timeout"]),
            replies,
            timeout=options["timeout"],
            pause=options["pause"],
        )

    def close(self) -> None:
        if self._client is not None and self._client.open:
            self._client.close()


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Say what the options say, print the answers, and return the exit status."""
    talk = _Talk(reactor, options)
    try:
        if options.message is not None:
            console.say(legible(await talk.say(options.message)))
            return ExitStatus.OK
        return await _sayLines(talk, console)
    finally:
        talk.close()


async def _sayLines(talk: _Talk, console: Console) -> int:
    """Each line is a message; one that is not answered does not end the rest."""
    status: int = ExitStatus.OK
    while (line := await console.readLine()) is not None:
        if not line:
            continue
        try:
            answer = await talk.say(line.encode())
        except ClientError as problem:
            sentence, status = explain(Failure(problem))
            console.complain(sentence)
        else:
            console.say(legible(answer))
    return status


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
