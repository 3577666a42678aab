"""
Proxies in memory that are taken down after the test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from tests.proxy.world import MakeWorld, World


@pytest.fixture
def makeWorld(clock: Clock) -> Iterator[MakeWorld]:
    """Builds a proxy in memory from C{World}'s arguments."""
    worlds: list[World] = []

    def make(*args: object, **kw: object) -> World:
        worlds.append(World(clock, *args, **kw))  # type: ignore[arg-type]
        return worlds[-1]

    yield make
    for world in worlds:
        world.end()
