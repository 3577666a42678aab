"""
Tables and bars, with and without C{rich}, at a terminal and elsewhere.
"""

from __future__ import annotations

import io
import re

import pytest

from labnet.net import terminal
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.terminal import Progress, highlighted, tabulated

ROWS = [
    ("gethostbyname", "localhost", "1.5 ms"),
    ("getaddrinfo", "a [bold]long[/bold] answer " * 3, "2 ms"),
]


@pytest.fixture
def withoutRich(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ClientError("this needs the package rich", ExitStatus.USAGE)

    monkeypatch.setattr(terminal, "_rich", missing)


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_elsewhereATableIsAsWideAsItNeedsToBe() -> None:
    """And what looks like markup stays what it is."""
    lines = tabulated(("FUNCTION", "ANSWER", "TIME"), ROWS).splitlines()
    assert len(lines) == 4
    assert "a [bold]long[/bold] answer " * 2 in lines[3]


@pytest.mark.parametrize("width", [40, 57, 80])
def test_atATerminalItFits(width: int) -> None:
    """Long cells are folded, and nothing of them is lost."""
    text = tabulated(("FUNCTION", "ANSWER", "TIME"), ROWS, width)
    assert max(map(len, text.splitlines())) <= width
    assert "".join(text.split()).count("[/bold]") >= 1
    assert "2 ms" in text
    assert sum(text.count(letter) for letter in "w") == 3


@pytest.mark.usefixtures("withoutRich")
def test_withoutRichItIsColumnsOfText() -> None:
    assert tabulated(("A", "LONG"), [("1", "2"), ("333", "4")]) == "A    LONG\n1    2\n333  4"


@pytest.mark.usefixtures("withoutRich")
def test_withoutRichThereIsNoBar() -> None:
    stream = Terminal()
    with Progress(stream, "ports", 10) as progress:
        progress.reached(5)
    assert stream.getvalue() == ""


def test_aBarIsForPeople() -> None:
    """At a terminal it tells how far it is; a pipe sees nothing of it."""
    pipe, person = io.StringIO(), Terminal()
    for stream in (pipe, person):
        with Progress(stream, "ports [red]", 10, size=False) as progress:
            progress.reached(4)
            progress.reached(10)
    assert pipe.getvalue() == ""
    assert "ports [red]" in person.getvalue()
    assert "10/10" in person.getvalue()


CODE = 'def f(size: int) -> bytes:\n    return b"[bold]" * size  # A comment.\n'


def test_codeKeepsItsTextUnderItsColours() -> None:
    coloured = highlighted(CODE)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines() == CODE.splitlines()


@pytest.mark.usefixtures("withoutRich")
def test_withoutRichCodeIsAsItIs() -> None:
    assert highlighted(CODE) == CODE
