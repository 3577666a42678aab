"""
What several of these tests are given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conversations import Programs
from tests.integration.measured import Origin


@pytest.fixture
def programs() -> Iterator[Programs]:
    programs = Programs()
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 24 MiB, every MiB another one."""
    path = tmp_path_factory.mktemp("large") / "large"
    with path.open("wb") as file:
        for number in range(24):
            file.write(number.to_bytes(4, "big") + os.urandom(4096) + bytes((1 << 20) - 4100))
    return path


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The URL of an origin that answers by the path, see L{tests.integration.origin}."""
    with Origin() as running:
        yield running.url
