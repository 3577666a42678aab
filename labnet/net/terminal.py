"""
Progress bars and tables, drawn by C{rich}; the extra C{terminal} brings it.

What is drawn goes to standard error, and only where a person looks at it, so that a pipe or a file gets
the results and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, TextIO

from labnet.net.outcome import ClientError, ExitStatus

__all__ = ["Progress", "highlighted", "table", "tabulated"]


def _rich(name: str) -> Any:
    """
    A module of rich.

    @raise ClientError: it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(f"rich.{name}")
    except ImportError as error:
        raise ClientError(
            "this needs the package rich: pip install 'labnet[terminal]'", ExitStatus.USAGE
        ) from error


class Progress:
    """
    One bar: what it is, how much is done, how fast, and how long it will still take.

    Without a terminal at C{stream}, or without C{rich}, nothing is drawn. Use it as a context manager.

    @param what: the text before the bar.
    @param total: how much there is to do; L{None} if nobody knows.
    @param size: whether the numbers are bytes.
    """

    def __init__(self, stream: TextIO, what: str, total: int | None, *, size: bool = True) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._drawnAt = 0.0
        if not stream.isatty():
            return
        try:
            progress, console = _rich("progress"), _rich("console")
        except ClientError:
            return
        numbers = (
            [progress.DownloadColumn(), progress.TransferSpeedColumn()]
            if size
            else [progress.MofNCompleteColumn()]
        )
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            *numbers,
            progress.TimeRemainingColumn(),
            console=console.Console(file=stream),
            transient=False,
            # Nothing of ours runs in a thread: the bar is drawn when there is something new.
            auto_refresh=False,
        )
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.stop()

    def reached(self, done: int, total: int | None = None) -> None:
        """So much is done, of so much if that is known only now. Cheap enough to call for every piece."""
        if self._bar is not None:
            if total is not None:
                self._bar.update(self._task, total=total)
            self._bar.update(self._task, completed=done)
            now = monotonic()
            if now - self._drawnAt >= 0.1:
                self._drawnAt = now
                self._bar.refresh()


def table(
    stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None
) -> None:
    """
    Write a table; without C{rich} it is columns of plain text. Cells are plain text: what a peer wrote must
    have been made harmless (L{labnet.net.logs.shown}) before.

    @param width: columns that it may have, in which long cells are folded; L{None} for as wide as it needs
        to be.
    """
    try:
        tables, console, box, text = (_rich(name) for name in ("table", "console", "box", "text"))
    except ClientError:
        _plainTable(stream, columns, rows)
        return
    drawn = tables.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, no_wrap=width is None, overflow="fold")
    for row in rows:
        drawn.add_row(*(text.Text(cell) for cell in row))
    console.Console(file=stream, width=width or 10_000, highlight=False).print(drawn)


def tabulated(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """The same table as text, without the white space around it."""
    text = io.StringIO()
    table(text, columns, rows, width)
    return "\n".join(line.rstrip() for line in text.getvalue().split("\n")).strip("\n")


def highlighted(code: str) -> str:
    """Python code with colours for a terminal; without C{rich} as it is."""
    try:
        syntax, console = _rich("syntax"), _rich("console")
    except ClientError:
        return code
    stream = io.StringIO()
    drawn = syntax.Syntax(code, "python", theme="ansi_dark", background_color="default")
    console.Console(file=stream, width=200, force_terminal=True, color_system="standard").print(drawn)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _plainTable(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        stream.write("  ".join(padded).rstrip() + "\n")
