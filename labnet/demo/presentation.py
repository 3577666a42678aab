"""
A demonstration as lines of text for a terminal, or for whatever else.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence

from labnet.demo.demonstration import Demonstration, Measured, Report
from labnet.demo.ladder import ladder, lessons

__all__ = ["introduced", "listed", "presented"]

#: Columns of what is read, also on a wide terminal.
WIDTH = 88
_BAR = 10

_BOLD, _DIM, _RED, _GREEN = "1", "2", "31", "32"


def listed(demonstrations: Sequence[Demonstration]) -> list[str]:
    """What there is to be shown."""
    width = max(len(demonstration.name) for demonstration in demonstrations)
    return [f"  {shown.name:{width}}  {shown.line}" for shown in demonstrations]


def introduced(shown: Demonstration, *, width: int = WIDTH, colour: bool = False) -> list[str]:
    """What goes wrong, while it is being measured."""
    return list(_Page(min(width, WIDTH), colour, None).introduction(shown))


def presented(
    shown: Demonstration,
    report: Report,
    *,
    width: int = WIDTH,
    colour: bool = False,
    highlight: Callable[[str], str] | None = None,
) -> list[str]:
    """
    What was measured, what went over the wire, and the code.

    @param width: columns.
    @param colour: whether it may have colours.
    @param highlight: gives code its colours.
    """
    return list(_Page(min(width, WIDTH), colour, highlight).findings(shown, report))


class _Page:
    def __init__(self, width: int, colour: bool, highlight: Callable[[str], str] | None) -> None:
        self._width = width
        self._colour = colour
        self._highlight = highlight

    def introduction(self, shown: Demonstration) -> Iterator[str]:
        yield self._styled(f"{shown.name}: {shown.line}", _BOLD)
        yield self._styled("─" * self._width, _DIM)
        yield from self._paragraph(shown.trouble)
        yield ""

    def findings(self, shown: Demonstration, report: Report) -> Iterator[str]:
        yield from self._table(report)
        seen = [row for row in report.measured if row.shown is not None]
        failing = next((row for row in seen if row.failed and not row.cure), None)
        if failing is not None:
            yield from self._heading("What went over the wire")
            yield from self._rungs(failing, report)
            yield from self._lessons(failing)
        curing = next((row for row in seen if row.cure), None)
        if curing is not None:
            yield from self._heading("With the cure")
            yield from self._rungs(curing, report)
        yield from self._heading("The code that fails")
        yield from self._code(shown.naive)
        yield from self._heading("The cure")
        yield from self._paragraph(shown.lesson)
        yield ""
        yield from self._code(shown.cured)

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour else text

    def _heading(self, text: str) -> Iterator[str]:
        yield ""
        yield self._styled(text, _BOLD)
        yield ""

    def _paragraph(self, text: str) -> list[str]:
        return textwrap.wrap(text, self._width)

    def _table(self, report: Report) -> Iterator[str]:
        width = max(len(row.what) for row in report.measured)
        counts = [f"{row.failed} of {row.tries} failed" for row in report.measured]
        longest = max(map(len, counts))
        # A narrow terminal has no room for bars.
        bars = width + longest + _BAR + len("      cured") + 2 <= self._width
        for row, count in zip(report.measured, counts, strict=True):
            bar = f"{self._bar(row)}  " if bars else ""
            counted = self._styled(f"{count:{longest}}", _RED if row.failed else _GREEN)
            mark = self._styled("cured", _GREEN) if row.cure else ""
            yield f"  {row.what:{width}}  {bar}{counted}  {mark}".rstrip()
        if report.faults:
            yield ""
            yield self._styled(f'  the network: --faults "{report.faults}"', _DIM)

    def _bar(self, row: Measured) -> str:
        filled = -(-row.failed * _BAR // row.tries)
        return self._styled("█" * filled, _RED) + self._styled("░" * (_BAR - filled), _DIM)

    def _rungs(self, row: Measured, report: Report) -> Iterator[str]:
        assert row.shown is not None
        for rung in ladder(row.shown, report.peer, report.local):
            yield rung if len(rung) <= self._width else f"{rung[: self._width - 3]}..."
        if row.mishap:
            indent = " " * 13
            for line in textwrap.wrap(f"what came of it: {row.mishap}", self._width - len(indent)):
                yield indent + self._styled(line, _RED)

    def _lessons(self, row: Measured) -> Iterator[str]:
        assert row.shown is not None
        for number, lesson in enumerate(lessons(row.shown)):
            if not number:
                yield ""
            yield from textwrap.wrap(
                lesson, self._width, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False
            )

    def _code(self, functions: Sequence[Callable[..., object]]) -> Iterator[str]:
        for number, function in enumerate(functions):
            if number:
                yield ""
            code = textwrap.dedent(inspect.getsource(function))
            for line in (self._highlight(code) if self._highlight is not None else code).splitlines():
                yield f"    {line}".rstrip()
