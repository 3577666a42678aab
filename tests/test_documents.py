"""
The documents say what is: their commands, their tables, their links.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import labnet
from labnet.catalogue import CATALOGUE
from labnet.check import clienttap as check
from labnet.check.mistakes import Mistake
from labnet.lab.config import Arity
from labnet.lab.tap import grammarOf
from labnet.net.options import ServerOptions
from labnet.net.outcome import ExitStatus
from tests.documents import ROOT, blocks, links

README = ROOT / "README.md"
CHECK = ROOT.joinpath("docs", "check.md").read_text("utf-8")
RUNNING = ROOT / "docs" / "running.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted(ROOT.joinpath("docs").rglob("*.md"))]
CI = ROOT.joinpath(".ci", "run").read_text("utf-8")


def commands() -> list[str]:
    """The README's commands that install something."""
    return [block.text.strip() for block in blocks(README) if "python3 -m venv" in block.text]


def test_theReadmesTwoCommandsAreOneLineEach() -> None:
    run, test = commands()
    assert "\n" not in run + test
    assert run.endswith("twistd -n labnet")
    assert test.endswith("python -m pytest")


def test_continuousIntegrationRunsTheReadmesTestCommand() -> None:
    _, test = commands()
    assert CI.splitlines().count(test) == 1


def test_continuousIntegrationInstallsEveryProgramTheTestsNeed() -> None:
    """A program that a test asks for with C{need} is installed there, and named in the README."""
    asked = {
        program
        for path in ROOT.joinpath("tests").rglob("*.py")
        for program in re.findall(r"\bneed\(\"([\w.-]+)\"\)", path.read_text("utf-8"))
    }
    installed = set(re.findall(r"^([\w.-]+) [\w.-]+$", CI.partition("<<'PROGRAMS'")[2], re.MULTILINE))
    assert asked <= installed
    named = set(re.findall(r"`([\w.-]+)`", README.read_text("utf-8")))
    assert installed <= named


def test_theReadmesTableIsTheCatalogue() -> None:
    rows = [
        f"| `{entry.plugin}` | {' '.join(f'`{endpoint}`' for endpoint in entry.endpoints)} | {entry.line} |"
        for entry in CATALOGUE
    ]
    table = README.read_text("utf-8").partition("<!-- catalogue -->\n")[2].partition("<!-- end -->")[0]
    assert table.splitlines()[2:] == rows


def test_theCommonOptionsAreAllInTheirTable() -> None:
    """Each option that every server has is in the table, with its default, and no other is."""

    class Common(ServerOptions):
        entry = CATALOGUE[1]

    options = Common()
    expected = {
        option: ""
        if arity is Arity.FLAG
        else f"{options.defaults[option]:g}"
        if isinstance(options.defaults.get(option), (int, float))
        else options.defaults.get(option, "the server's own")
        for option, arity in grammarOf(options).items()
    } | {"json-logs": "", "trace-file": "", "trace-redact": ""}
    rows = re.findall(
        r"^\| `--([\w-]+)[^`]*` \|(.*?)\|", RUNNING.read_text("utf-8").replace("\\|", "/"), re.MULTILINE
    )
    assert {option: default.strip() for option, default in rows[: len(expected)]} == expected


def test_everyExitStatusIsInItsTable() -> None:
    table = ROOT.joinpath("docs", "clients.md").read_text("utf-8").partition("## Exit statuses")[2]
    assert [int(row) for row in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(ExitStatus)


def test_everyMistakeOfTheExaminerIsInItsTable() -> None:
    table = CHECK.partition("<!-- mistakes -->\n")[2].partition("<!-- end -->")[0]
    rows = [f"| `{mistake.id}` | {mistake.sentence} |" for mistake in Mistake]
    assert table.splitlines()[2:] == rows


def test_everyOptionOfTheExaminerIsInItsTable() -> None:
    table = CHECK.partition("## Options")[2].partition("##")[0]
    named = set(re.findall(r"`--([\w-]+)", "".join(row.split("|")[1] for row in table.splitlines() if row)))
    options = {option.rstrip("=") for option in check.Options().longOpt} - {"help", "version"}
    assert named == options


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linksLeadSomewhere(document: Path) -> None:
    missing = [link for link in links(document) if not document.parent.joinpath(link).exists()]
    assert not missing


def test_thePagesThatTheCodeNamesAreThere() -> None:
    named = {
        page
        for path in Path(labnet.__file__).parent.rglob("*.py")
        for page in re.findall(r"docs/[\w/-]+\.md", path.read_text("utf-8"))
    }
    assert sorted(page for page in named if not ROOT.joinpath(page).exists()) == []
