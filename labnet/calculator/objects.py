"""
JSON objects that follow each other in a stream, without anything between them.
"""

from __future__ import annotations

import json

__all__ = ["LONGEST_OBJECT", "ObjectScanner", "loads"]

#: The longest object that is read, in bytes.
LONGEST_OBJECT = 4_096


def loads(text: bytes) -> object:
    """What the JSON text says, or L{None} if it is none."""
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


class ObjectScanner:
    """Finds where JSON objects end, looking at each byte once."""

    def __init__(self) -> None:
        self.depth = 0
        self._inString = False
        self._escaped = False

    def ends(self, byte: int) -> bool:
        """Take one byte of an object; whether it is the object's last."""
        if self._escaped:
            self._escaped = False
        elif self._inString:
            self._escaped = byte == 0x5C
            self._inString = byte != 0x22
        elif byte == 0x22:
            self._inString = True
        elif byte == 0x7B:
            self.depth += 1
        elif byte == 0x7D:
            self.depth -= 1
            return self.depth == 0
        return False
