"""
The bytes of the greeting; see C{docs/protocols/greeting.md}.
"""

from __future__ import annotations

__all__ = ["GREETING", "LONGEST_GREETING"]

#: What the course's server says.
GREETING = b"Hello, client! Connection established."

#: The longest greeting that the client takes, and that a server is given, in bytes.
LONGEST_GREETING = 65_536
