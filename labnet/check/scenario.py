"""
What a contract is made of: scenarios, each with a topic, a reason, and the mistake that it is there to
find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from labnet.check.mistakes import Mistake

__all__ = ["Contract", "Scenario", "Side", "Topic", "scenarioName"]

#: What a scenario does: it is given a L{labnet.check.server.Server} or a L{labnet.check.client.Client}.
Play = Callable[[Any], Coroutine[Any, Any, None]]


class Side(Enum):
    """What is examined."""

    SERVER = "server"
    CLIENT = "client"


class Topic(Enum):
    """
    What a scenario is about, and what the score is counted by.

    @ivar word: what C{--only} and a teacher's file call it.
    @ivar title: what reports call it.
    """

    PLAIN = ("plain", "Plain use")
    SEGMENTATION = ("segmentation", "Segmentation")
    SLOW = ("slow", "Slow peers")
    HALF_CLOSE = ("half-close", "The end of a stream")
    RESET = ("reset", "Broken connections")
    MANY = ("many", "Many at once")
    STALL = ("stall", "One stalls, others work")
    INPUT = ("input", "Bad input")
    LIMITS = ("limits", "Limits")

    def __init__(self, word: str, title: str) -> None:
        self.word = word
        self.title = title


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One scenario of a contract.

    @ivar name: what C{--only} takes; unique in the contract for its side.
    @ivar title: what happens, in a few words.
    @ivar why: why a program must be able to bear it: one or two sentences for a student.
    @ivar play: does it.
    @ivar mistake: the likely mistake of who fails, unless what is seen says more.
    @ivar transports: C{"tcp"}, C{"udp"} or both.
    @ivar variants: those it is for; empty for all.
    @ivar basis: whether there is no point in the other scenarios while this one fails.
    @ivar weight: points, before a teacher's file changes them.
    @ivar restarts: whether it has to start the server itself, with its command.
    @ivar absent: whether nobody listens where the client connects.
    """

    name: str
    title: str
    topic: Topic
    side: Side
    why: str
    play: Play
    mistake: Mistake | None = None
    transports: frozenset[str] = frozenset({"tcp"})
    variants: frozenset[str] = frozenset()
    basis: bool = False
    weight: float = 1.0
    restarts: bool = False
    absent: bool = False

    def suits(self, side: Side, transport: str, variant: str) -> bool:
        """Whether it is for this side, transport and variant."""
        return (
            side is self.side
            and transport in self.transports
            and (not self.variants or variant in self.variants)
        )


def scenarioName(function: str) -> str:
    """The name that a scenario has after its function: C{byteByByte} is C{byte-by-byte}."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", function).lower().strip("_")


class Contract:
    """
    All scenarios of one service, for servers and for clients. Its methods C{server} and C{client} are
    decorators of the functions that play them.

    @param service: its name in the catalogue.
    @param variants: kinds of the service, of which one is examined at a time; the first is the default.
        Empty when there is only one.
    @param interactive: whether the scenarios type into clients themselves. If not, a client's standard
        input ends at once, unless C{--input} has something for it.
    @param origins: for a service that stands between, the transport to what is behind it, for each variant;
        C{server.origin} is that.
    @param folder: whether its servers give away the files of a folder, C{server.folder}.
    @param named: the variants in which clients say where that is. In the others the command says it, as
        C{{origin}}.
    """

    def __init__(
        self,
        service: str,
        variants: tuple[str, ...] = (),
        *,
        interactive: bool = False,
        origins: Mapping[str, str] | None = None,
        folder: bool = False,
        named: Collection[str] = (),
    ) -> None:
        self.service = service
        self.variants = variants
        self.interactive = interactive
        self.origins = dict(origins or {})
        self.folder = folder
        self.named = frozenset(named)
        self.scenarios: list[Scenario] = []

    def server(
        self, title: str, topic: Topic, mistake: Mistake | None = None, **details: Any
    ) -> Callable[[Play], Play]:
        """
        A scenario that a server has to bear. Why it has to is the docstring of the function, which
        says it to a student; the name of the scenario is the function's, C{byte-by-byte} for C{byteByByte}.

        @param details: other fields of L{Scenario}.
        """
        return self._adding(Side.SERVER, title, topic, mistake, details)

    def client(
        self, title: str, topic: Topic, mistake: Mistake | None = None, **details: Any
    ) -> Callable[[Play], Play]:
        """The same for clients: what a server of ours does to them."""
        return self._adding(Side.CLIENT, title, topic, mistake, details)

    def chosen(self, side: Side, transport: str, variant: str) -> list[Scenario]:
        """The scenarios for one examination, in their order, those of the basis first."""
        suited = [scenario for scenario in self.scenarios if scenario.suits(side, transport, variant)]
        return sorted(suited, key=lambda scenario: not scenario.basis)

    def _adding(
        self, side: Side, title: str, topic: Topic, mistake: Mistake | None, details: Any
    ) -> Callable[[Play], Play]:
        def add(play: Play) -> Play:
            fields: dict[str, Any] = {
                "name": scenarioName(play.__name__),
                "why": " ".join((play.__doc__ or "").split()),
                **details,
            }
            for several in ("transports", "variants"):
                if several in fields:
                    fields[several] = frozenset(fields[several])
            self.add(Scenario(title=title, topic=topic, side=side, play=play, mistake=mistake, **fields))
            return play

        return add

    def add(self, scenario: Scenario) -> None:
        """
        One more scenario.

        @raise ValueError: there is one of that name, or it does not say why it is there.
        """
        if any((other.name, other.side) == (scenario.name, scenario.side) for other in self.scenarios):
            raise ValueError(f"two scenarios of {self.service} are called {scenario.name}")
        if not scenario.why:
            raise ValueError(f"the scenario {scenario.name} does not say why it is there")
        self.scenarios.append(scenario)
