"""
Every example of C{docs/testing.md} is run, in one project, with the configuration that the page has.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.documents import ROOT, blocks
from tests.integration.processes import ENVIRONMENT, PATIENCE

BLOCKS = blocks(ROOT / "docs" / "testing.md")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
    )


def test_theTestsOfThePagePass(tmp_path: Path) -> None:
    """Those that begin with the name of their file, all of them; and they are as many as there are."""
    files = {}
    for block in BLOCKS:
        named = re.match(r"# (\w+\.py)\n", block.text)
        if block.language == "python" and named:
            files[named[1]] = block.text
        elif block.language == "toml":
            files["pyproject.toml"] = block.text
    for name, text in files.items():
        tmp_path.joinpath(name).write_text(text)
    ended = run(tmp_path, "-m", "pytest", "-q", "-p", "no:twisted", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    tests = sum(text.count("\ndef test_") for text in files.values())
    assert f"{tests} passed" in ended.stdout
    assert len(files) == 8


def test_theProgramOfThePagePrintsWhatStandsBelowIt(tmp_path: Path) -> None:
    (program,) = [
        at for at, block in enumerate(BLOCKS) if block.language == "python" and block.text[0] != "#"
    ]
    tmp_path.joinpath("example.py").write_text(BLOCKS[program].text)
    assert BLOCKS[program + 1].language == "text"
    ended = run(tmp_path, "example.py")
    assert (ended.stdout, ended.stderr) == (BLOCKS[program + 1].text, "")
