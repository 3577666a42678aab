"""
The proxy's pages say what is.
"""

from __future__ import annotations

import re

import pytest

from labnet.lab.config import Arity
from labnet.lab.tap import grammarOf
from labnet.net.options import ServerOptions
from labnet.proxy.metrics import REASONS
from labnet.proxy.policy import COURSE_404
from labnet.proxy.tap import Options
from tests.documents import ROOT

PAGES = ("proxy.md", "proxy-access.md", "proxy-operations.md")
RUNNING = "\n".join(ROOT.joinpath("docs", page).read_text("utf-8") for page in PAGES)
BYTES = ROOT.joinpath("docs", "protocols", "http-proxy.md").read_text("utf-8")


def test_everyOptionOfTheProxyIsInATableWithItsDefault() -> None:
    """Those that all servers have are on another page; one whose default differs here is here, too."""
    options = Options()
    rows = dict(
        re.findall(r"^\| `--([\w-]+)[^`]*` \| (.*?) ?\|", RUNNING.replace("\\|", "/"), re.MULTILINE)
    )
    grammar = grammarOf(options)
    assert set(rows) == set(grammar) - set(grammarOf(_Common())) | {"idle-timeout"}
    numbers = {
        option: f"{options.defaults[option]:.12g}"
        for option in rows
        if grammar[option] is not Arity.FLAG and isinstance(options.defaults.get(option), (int, float))
    }
    assert {option: rows[option] for option in numbers} == numbers


def test_everyTestInTheListOfRequirementsExists() -> None:
    """And each requirement has one."""
    page = ROOT.joinpath("docs", "proxy-rfc.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| 9")]
    assert len(rows) > 50
    for row in rows:
        assert re.search(r"`\w+::test_\w+`[^|]*\|$", row), row
    for module, name in re.findall(r"`(\w+)::(test_\w+)`", page):
        source = ROOT.joinpath("tests", "proxy", f"test_{module}.py").read_text("utf-8")
        assert f"\ndef {name}(" in source, f"{module}::{name}"


class _Common(ServerOptions):
    entry = Options.entry


def test_theCoursesAnswerIsOnThePage() -> None:
    shown = re.search(r"^    HTTP/1\.1 404.*?</html>\\n$", BYTES, re.MULTILINE | re.DOTALL)
    assert shown is not None
    text = "".join(line.strip() for line in shown[0].splitlines())
    assert text.encode().replace(b"\\r", b"\r").replace(b"\\n", b"\n") == COURSE_404


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 407, 408, 413, 415, 421, 429, 501, 502, 503, 504, 505, 508]
)
def test_everyStatusIsInTheTable(status: int) -> None:
    assert re.search(rf"^\| {status} \|", BYTES, re.MULTILINE)


def test_everyStatusOfOurOwnHasAReasonInTheFigures() -> None:
    """Those that the page on the bytes lists, all but that of what is blocked."""
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", BYTES, re.MULTILINE)
    listed = {int(status) for row in rows for status in row.split(", ")}
    assert set(REASONS) == listed - {404}
