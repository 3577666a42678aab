"""
What every test of the file room is held to: no descriptor left open.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.files.world import descriptors


@pytest.fixture(autouse=True)
def noDescriptorsLeft() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before
