"""
What the tests of the self-test share: a scenario run in memory, with or without something in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.interfaces import IStreamClientEndpoint

from labnet.proxyselftest.client import Settings, requestBytes
from labnet.proxyselftest.scenario import Marker, Plan, Scenario
from labnet.proxyselftest.verdict import Ending, Finding, Received, judge

MARKER = Marker(b"SzamHalo", b"0123abcd-")
#: Settings of tests that connect to nothing.
NOWHERE = Settings(cast(IStreamClientEndpoint, None), MARKER)

Proxy = Callable[[bytes], bytes]


def received(
    plan: Plan, through: Proxy = bytes, ending: Ending = Ending.CLOSED, settings: Settings = NOWHERE
) -> list[Received]:
    """What a client gets of a plan when each answer of the origin's goes through C{through}."""
    connections = []
    for asks in plan.connections:
        raw = b""
        for ask in asks:
            head = requestBytes(ask, b"origin", settings).lower()
            reply = next(reply for reply in plan.replies if reply.when.lower() in head)
            raw += through(b"".join(step for step in reply.steps if isinstance(step, bytes)))
        connections.append(Received(asks, b"", raw, ending))
    return connections


def found(scenario: Scenario, through: Proxy = bytes, ending: Ending = Ending.CLOSED) -> Finding:
    """What is said of a scenario when the origin's answers go through C{through}."""
    plan = scenario.build(MARKER)
    return judge(scenario, plan, MARKER, received(plan, through, ending), asked=1)


def by(name: str) -> Scenario:
    """The scenario of that name."""
    from labnet.proxyselftest.scenarios import chosen

    (scenario,) = chosen([name])
    return scenario
