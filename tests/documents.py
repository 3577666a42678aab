"""
What the documents contain: code blocks, with what should come of them, and links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """
    A fenced block.

    @ivar language: the word after the fence.
    @ivar line: where it begins.
    """

    language: str
    text: str
    line: int


def blocks(document: Path) -> list[Block]:
    """All fenced blocks of a document, in order."""
    text = document.read_text("utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _FENCE.finditer(text)
    ]


def links(document: Path) -> list[str]:
    """Where a document's links into this repository go, without the part after C{#}."""
    text = _FENCE.sub("", document.read_text("utf-8"))
    return [link.partition("#")[0] for link in _LINK.findall(text) if "://" not in link and link[0] != "#"]
