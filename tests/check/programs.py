"""
The programs that the examiner is shown on: where they are, and what they say about themselves.

The first lines of a program say what it is and what must be found::

    # mistake: one-recv; server struct9 tcp
    # correct: client struct9 tcp; arguments: {host} {port} 12 + 34

Behind the colon stand the mistake's id (or nothing, for one that is correct), the side, the variant if
there are any, and the transport; then how it is started, unless that is C{{host} {port}}.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from tests.integration.processes import ENVIRONMENT

PROGRAMS = Path(__file__).parent / "programs"
_HEAD = re.compile(
    r"# (?:mistake: (?P<mistake>[\w-]+); |correct: )(?P<side>server|client)(?: (?P<variant>[\w-]+))?"
    r" (?P<transport>tcp|udp)(?:; arguments: (?P<arguments>.*))?"
)


@dataclass(frozen=True)
class Case:
    """
    One program, started in one way.

    @ivar mistake: what must be found; empty for a correct one.
    @ivar command: how it is started; empty for our own server, inside the examining process.
    @ivar options: of our own server.
    """

    service: str
    name: str
    mistake: str
    side: str
    variant: str
    transport: str
    command: tuple[str, ...]
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join(filter(None, (self.service, self.name, self.variant, self.transport)))

    def job(self, seed: int) -> dict[str, Any]:
        """The same for L{tests.check.examining}."""
        return {
            "service": self.service, "side": self.side, "variant": self.variant, "transport":
            self.transport, "command": self.command, "seed": seed, "options": self.options,
            "wrong": bool(self.mistake),
        }  # fmt: skip


def students() -> Iterator[Case]:
    """Every program in the folders."""
    for path in sorted(PROGRAMS.glob("*/*.py")):
        found = False
        for line in path.read_text("utf-8").splitlines():
            match = _HEAD.fullmatch(line)
            if match is None:
                break
            found = True
            arguments = shlex.split(match["arguments"] or "{host} {port}")
            yield Case(
                path.parent.name, path.stem, match["mistake"] or "", match["side"], match["variant"] or "",
                match["transport"], (sys.executable, str(path), *arguments),
            )  # fmt: skip
        assert found, f"{path} does not say in its first line what it is"


def rows() -> list[str]:
    """
    The wrong programs as rows of a table, for C{docs/check-programs.md}: C{python -m tests.check.programs}
    prints them.
    """
    found: dict[Path, str] = {}
    for case in students():
        path = PROGRAMS / case.service / f"{case.name}.py"
        if case.mistake:
            what = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            first = " ".join(what.split("\n\n")[0].split()).replace("|", "or")
            found[path] = f"| {case.service} | {case.side} | {first} | `{case.mistake}` |"
    return list(found.values())


@cache
def reports(service: str, wrong: bool, seeds: tuple[int, ...]) -> dict[tuple[str, int], dict[str, Any]]:
    """The reports of a service's wrong programs, or its correct ones, by the case's name and the seed."""
    from tests.check.ours import OURS

    cases = [
        case for case in [*students(), *OURS] if case.service == service and bool(case.mistake) is wrong
    ]
    wanted = [(case, seed) for seed in seeds for case in cases]
    descriptor, output = mkstemp(prefix="labnet-reports-")
    done = subprocess.run(
        [sys.executable, "-m", "tests.check.examining", output],
        input=json.dumps([case.job(seed) for case, seed in wanted]),
        capture_output=True, text=True, env=ENVIRONMENT, timeout=110 * len(seeds), check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    with open(descriptor, encoding="utf-8") as file:
        Path(output).unlink()
        lines = file.readlines()
    assert done.returncode == 0, done.stderr
    found = {}
    for line in lines:
        answer = json.loads(line)
        case, seed = wanted[answer["job"]]
        found[str(case), seed] = answer["report"]
    return found


if __name__ == "__main__":
    print("\n".join(rows()))
