"""
Every example of C{docs/embedding.md}, and of the pages on what stands around services, runs, and prints
what stands below it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents import ROOT, Block, blocks
from tests.integration.processes import ENVIRONMENT, PATIENCE, Twistd, labnet

DOCUMENTS = [ROOT / "docs" / name for name in ("embedding.md", "faults.md", "dissection.md")]


@dataclass(frozen=True, slots=True)
class Example:
    """A program of the document, and what it prints; L{None} when the document does not say."""

    program: Block
    prints: str | None

    @property
    def tac(self) -> bool:
        """Whether it is a C{.tac} file."""
        return re.match(r"# \w+\.tac\b", self.program.text) is not None


def examples() -> list[Example]:
    return [
        Example(block, after.text if after is not None and after.language == "text" else None)
        for document in DOCUMENTS
        for found in [blocks(document)]
        for block, after in zip(found, [*found[1:], None], strict=True)
        if block.language == "python"
    ]


PROGRAMS = [example for example in examples() if not example.tac]
TACS = [example for example in examples() if example.tac]


def test_thereAreExamplesOfAllKinds() -> None:
    """Guards the others: a document that is no longer read as it is written would pass them all."""
    assert len(PROGRAMS) >= 7
    assert len(TACS) == 2
    assert all(example.prints is not None or "unittest" in example.program.text for example in PROGRAMS)


@pytest.mark.parametrize("example", PROGRAMS, ids=lambda example: f"line{example.program.line}")
def test_programs(example: Example, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(example.program.text)
    ended = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    if example.prints is not None:
        assert (ended.stdout, ended.stderr) == (example.prints, "")


@pytest.mark.parametrize("example", TACS, ids=lambda example: f"line{example.program.line}")
def test_tacFiles(example: Example, tmp_path: Path) -> None:
    """Each listens, and a calculator in it calculates. The ports are the system's choice here."""
    text = re.sub(r"(tcp:|DatagramAddress\()\d+", r"\g<1>0", example.program.text)
    lab = 'options.parseOptions(["--only", "discovery,calculator"])'
    if lab in text:
        tmp_path.joinpath("lab.toml").write_text(
            '[discovery]\nlisten = "udp:0"\n[calculator]\nlisten = "tcp:0"\n'
        )
        text = text.replace(lab, 'options.parseOptions(["--config", "lab.toml"])')
    tmp_path.joinpath("example.tac").write_text(text)
    with Twistd(tmp_path, "-y", "example.tac") as running:
        profile = "net" if "net=" in text else "struct9"
        port = running.port("calculator" if profile == "struct9" else f"calculator ({profile})")
        asked = labnet("calculator", "-c", f"tcp:127.0.0.1:{port}", "-p", profile, "12 + 34")
        assert asked.stdout in ("46\n", "46.0\n"), asked.stderr
        if "lab.toml" in text:
            running.waitFor("labnet is ready$")
        else:
            running.port("calculator", "udp")
