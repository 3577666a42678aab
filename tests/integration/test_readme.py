"""
The README's first five minutes: every command is run, and prints what stands below it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks
from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Running, Twistd, need

README = ROOT / "README.md"
BLOCKS = blocks(README)

LAB = """
[discovery]
listen = "udp:0"
[calculator]
listen = ["tcp:0", "udp:0"]
[relay]
listen = "tcp:0"
[proxy]
listen = "tcp:0"
"""


def commands() -> list[tuple[str, str]]:
    """Every command at a prompt, and what it prints."""
    found = []
    for block in BLOCKS:
        if block.language == "console":
            for entry in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, prints = entry.partition("\n")
                found.append((command, prints))
    return found


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, int]]]:
    """A lab, a web server and a student's program, and which ports stand for those of the README."""
    directory = tmp_path_factory.mktemp("readme")
    directory.joinpath("lab.toml").write_text(LAB)
    (program,) = (block.text for block in BLOCKS if block.language == "python")
    (pages,) = (block.text for block in BLOCKS if "http.server" in block.text)
    makePages, serve = pages.splitlines()
    subprocess.run(makePages, shell=True, cwd=directory, check=True)
    web = [sys.executable, *serve.replace("8000 &", "0").split()[1:]]
    with Twistd(directory, "labnet", "--config", "lab.toml") as lab, Running(web, cwd=directory) as origin:
        lab.waitFor("calculator is registered")
        found = {
            "9000": lab.port("calculator"),
            "9002": lab.port("relay"),
            "8080": lab.port("proxy"),
            "10001": lab.port("discovery", "udp"),
            "8000": int(origin.waitFor(r"port (\d+)")[1]),
        }
        directory.joinpath("student.py").write_text(replaced(program, found))
        yield directory, found


def replaced(text: str, ports: dict[str, int]) -> str:
    """The text with the lab's ports in place of the README's."""
    # The default of --connect is a port, too.
    text = re.sub(r"(labnet calculator) (?=\d)", r"\1 --connect tcp:127.0.0.1:9000 ", text)
    return re.sub("|".join(rf"\b{port}\b" for port in ports), lambda match: str(ports[match[0]]), text)


def test_thereAreCommandsForEverything() -> None:
    """Guards the others: three calculations, two discoveries, a page, and a blocked one."""
    assert len(commands()) == 7


@pytest.mark.parametrize(("command", "prints"), commands(), ids=lambda text: text[:40])
def test_aCommandPrintsWhatTheReadmeSays(
    ports: tuple[Path, dict[str, int]], command: str, prints: str
) -> None:
    directory, found = ports
    if command.startswith("curl"):
        need("curl")
    command = command.replace(".venv/bin/", f"{BIN}/").replace("python3 ", f"{sys.executable} ")
    ended = subprocess.run(
        replaced(command, found),
        shell=True,
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.stderr == ""
    # A blank line ends a block's output only before the next command.
    assert timeless(ended.stdout.replace("\r\n", "\n")) == timeless(replaced(prints, found))


def timeless(output: str) -> str:
    """The output without what is different each time."""
    return re.sub(r"(?m)^Date: .*$", "Date: now", output).rstrip("\n")
