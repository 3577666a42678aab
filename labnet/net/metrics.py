"""
Figures by name and labels, as Prometheus knows them: what only grows, what goes up and down, and how a
quantity is distributed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

__all__ = ["Distribution", "Family", "Kind", "labelled", "merged"]


@dataclass(slots=True)
class Distribution:
    """
    How a quantity is distributed.

    @ivar bounds: the upper bounds of the classes; there is one class more, for what is above.
    @ivar counts: how many there are in each class.
    @ivar sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Kind(Enum):
    """What the values of a L{Family} are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """
    A figure, once for each of its labels.

    @ivar name: as Prometheus has it, without the C{_total} of what only grows.
    @ivar meaning: one sentence.
    @ivar labels: their names.
    @ivar values: by the labels' values; of a histogram, a L{Distribution}.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float | Distribution]

    @property
    def shown(self) -> str:
        """The name as it is asked for in Prometheus; that of a histogram begins with it."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


def labelled(family: Family, labels: Mapping[str, str]) -> Family:
    """The same figure with more labels, which stand first."""
    first = tuple(labels.values())
    values = {(*first, *rest): value for rest, value in family.values.items()}
    return replace(family, labels=(*labels, *family.labels), values=values)


def merged(families: Iterable[Family]) -> list[Family]:
    """Those of one name as one, each name where it stood first. They have the same labels."""
    found: dict[str, Family] = {}
    for family in families:
        first = found.get(family.name)
        if first is not None:
            family = replace(first, values={**first.values, **family.values})
        found[family.name] = family
    return list(found.values())
