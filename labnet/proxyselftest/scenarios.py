"""
All scenarios, and some of them by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from labnet.proxyselftest.contents import CONTENTS
from labnet.proxyselftest.exchanges import EXCHANGES
from labnet.proxyselftest.framings import FRAMINGS
from labnet.proxyselftest.scenario import Scenario

__all__ = ["SCENARIOS", "UnknownScenario", "chosen"]

#: In the order in which they are shown.
SCENARIOS: tuple[Scenario, ...] = (*FRAMINGS, *CONTENTS, *EXCHANGES)


class UnknownScenario(ValueError):
    """There is none of that name."""


def chosen(words: Iterable[str]) -> tuple[Scenario, ...]:
    """
    Those of these names, and those of these subjects, in their order; all for no words.

    @raise UnknownScenario: a word is neither; the text is one line.
    """
    wanted = {word.strip().lower() for word in words}
    known = {name for scenario in SCENARIOS for name in (scenario.name, scenario.subject.lower())}
    if not wanted:
        return SCENARIOS
    for word in sorted(wanted - known):
        raise UnknownScenario(f"there is no scenario and no subject {word!r}")
    return tuple(
        scenario for scenario in SCENARIOS if scenario.name in wanted or scenario.subject.lower() in wanted
    )
