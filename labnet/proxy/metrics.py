"""
Figures of what the proxy does: counted as plain numbers while it works, and summed over its processes when
somebody asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labnet.net.metrics import Distribution
from labnet.proxy.journal import Decision, Record

__all__ = ["OTHER", "REASONS", "BadSnapshot", "Counts", "Snapshot", "total"]

#: What stands for everything that has no figure of its own.
OTHER = "other"

_METHODS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT")
)
_MOST_RULES = 100
_LONGEST_RULE = 80

#: Records that are counted at a time.
_BATCH = 128

#: Upper bounds in seconds; what is above the last is counted, too.
TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
INSPECTIONS = (0.00001, 0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0)

#: Why a request was refused, by the status of the answer.
REASONS = {
    400: "malformed",
    401: "authentication",
    403: "forbidden",
    407: "authentication",
    408: "slow client",
    411: "too large",
    413: "too large",
    414: "too large",
    415: "uninspectable",
    421: "misdirected",
    429: "too many",
    431: "too large",
    501: "not implemented",
    502: "bad origin",
    503: "unavailable",
    504: "slow origin",
    505: "version",
    508: "loop",
}


class BadSnapshot(ValueError):
    """What another process sent is no snapshot."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    All figures of one process at one moment, or the sum of several.

    @ivar processes: how many processes are in it.
    @ivar silent: processes that are not in it because they did not answer.
    @ivar families: by the name of a figure, its values by label; that is empty where there is none. Two
        labels stand with a space between them.
    @ivar times: by the name of a quantity, its distribution.
    @ivar started: when the first of the processes began, in seconds since 1970.
    """

    processes: int = 1
    silent: int = 0
    families: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    times: Mapping[str, Distribution] = field(default_factory=dict)
    started: float = 0.0

    def add(self, other: Snapshot) -> Snapshot:
        """The two of them together."""
        families: dict[str, dict[str, float]] = {name: {**values} for name, values in self.families.items()}
        for name, values in other.families.items():
            into = families.setdefault(name, {})
            for label, value in values.items():
                into[label] = into.get(label, 0) + value
        times = dict(self.times)
        for name, distribution in other.times.items():
            mine = times.get(name)
            if mine is None or mine.bounds != distribution.bounds:
                times[name] = distribution
            else:
                counts = [a + b for a, b in zip(mine.counts, distribution.counts, strict=True)]
                times[name] = Distribution(mine.bounds, counts, mine.sum + distribution.sum)
        return Snapshot(
            self.processes + other.processes,
            self.silent + other.silent,
            families,
            times,
            min(self.started, other.started),
        )

    def encode(self) -> bytes:
        """As JSON."""
        times = {name: [one.bounds, one.counts, one.sum] for name, one in self.times.items()}
        row = [self.processes, self.silent, dict(self.families), times, self.started]
        return json.dumps(row).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Snapshot:
        """
        From JSON.

        @raise BadSnapshot: it is none.
        """
        try:
            processes, silent, families, times, started = json.loads(data)
            return cls(
                int(processes),
                int(silent),
                {name: {k: float(v) for k, v in values.items()} for name, values in families.items()},
                {name: _distribution(*parts) for name, parts in times.items()},
                float(started),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise BadSnapshot(f"not a snapshot: {error}") from error


def _distribution(bounds: Iterable[float], counts: Iterable[int], sum: float) -> Distribution:
    made = Distribution(tuple(bounds), [int(count) for count in counts], float(sum))
    if len(made.counts) != len(made.bounds) + 1:
        raise ValueError("a distribution with too few classes")
    return made


def total(snapshots: Iterable[Snapshot]) -> Snapshot:
    """All of them together; there must be one."""
    first, *others = snapshots
    for other in others:
        first = first.add(other)
    return first


class Counts:
    """
    The journal that counts.
    """

    def __init__(self) -> None:
        self._uncounted: list[Record] = []
        self._requests: dict[tuple[bytes, int], int] = {}
        self._decisions = dict.fromkeys(Decision, 0)
        self._blocked: dict[str, int] = {}
        self._reasons: dict[str, int] = {}
        self._tunnels = 0
        self._firstByte = Distribution(TIMES)
        self._whole = Distribution(TIMES)
        self._inspection = Distribution(INSPECTIONS)

    def ended(self, record: Record) -> None:
        """One more to count: in batches, for one between any two requests costs the processor more."""
        self._uncounted.append(record)
        if len(self._uncounted) >= _BATCH:
            self._countAll()

    def _countAll(self) -> None:
        records, self._uncounted = self._uncounted, []
        for record in records:
            self._count(record)

    def _count(self, record: Record) -> None:
        request, decision = record.request, record.decision
        key = (b"" if request is None else request.method, record.status)
        try:
            self._requests[key] += 1
        except KeyError:
            self._firstOf(*key)
        self._decisions[decision] += 1
        if record.firstByte is not None:
            self._firstByte.observe(record.firstByte)
        if record.inspection is not None:
            self._inspection.observe(record.inspection)
        if request is not None and (request.method == b"CONNECT" or record.status == 101):
            self._tunnels += record.status in (101, 200)
        else:
            self._whole.observe(record.seconds)
        if decision is Decision.BLOCKED:
            self._countRule(record)
        elif decision is Decision.REFUSED or decision is Decision.UNINSPECTABLE:
            known = REASONS.get(record.status, "broken off" if record.status < 400 else OTHER)
            reason = "uninspectable" if decision is Decision.UNINSPECTABLE else known
            self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def _firstOf(self, method: bytes, status: int) -> None:
        """The first of its kind; a kind that nobody has heard of is one of the others."""
        method = method if not method or method in _METHODS else OTHER.encode("ascii")
        status = status if status < 600 else 0
        self._requests[method, status] = self._requests.get((method, status), 0) + 1

    def _countRule(self, record: Record) -> None:
        rule = "" if record.finding is None else str(record.finding.rule)[:_LONGEST_RULE]
        if rule not in self._blocked and len(self._blocked) >= _MOST_RULES:
            rule = OTHER
        self._blocked[rule] = self._blocked.get(rule, 0) + 1

    def snapshot(self, figures: Mapping[str, Mapping[str, float]], started: float) -> Snapshot:
        """
        How it stands.

        @param figures: what is not counted here but read off now.
        @param started: when this process began.
        """
        self._countAll()
        requests = {
            f"{method.decode('ascii') or 'none'} {status}": float(count)
            for (method, status), count in self._requests.items()
        }
        families: dict[str, Mapping[str, float]] = {
            "requests": requests,
            "decisions": {one.value: float(count) for one, count in self._decisions.items()},
            "blocked": {rule: float(count) for rule, count in self._blocked.items()},
            "refused": {reason: float(count) for reason, count in self._reasons.items()},
            "tunnels": {"": float(self._tunnels)},
            **figures,
        }
        times = {"first byte": self._firstByte, "whole": self._whole, "inspection": self._inspection}
        copies = {name: Distribution(one.bounds, list(one.counts), one.sum) for name, one in times.items()}
        return Snapshot(1, 0, families, copies, started)
