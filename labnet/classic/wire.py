"""
The bytes of the small services; see C{docs/protocols/classic.md} and RFC 863 to 868.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime

__all__ = ["LONGEST_QUOTE", "NOISE", "QUOTES", "daytime", "secondsSince1970", "timeSince1900"]

# The seconds from 1900 to 1970.
_EPOCH = 2_208_988_800
_PRINTABLE = bytes(range(0x20, 0x7F))
_WIDTH = 72

#: The longest quote, in bytes with its end (RFC 865).
LONGEST_QUOTE = 512

#: What chargen repeats (RFC 864): 95 lines of 72 characters, each beginning one character later.
NOISE = b"".join((_PRINTABLE * 2)[start : start + _WIDTH] + b"\r\n" for start in range(len(_PRINTABLE)))

#: What qotd says, in turn.
QUOTES = (
    "An apple a day keeps the doctor away.",
    "Be conservative in what you do, be liberal in what you accept from others.",
    "A datagram may be lost; a reply to it may be lost, too.",
    "One send is not one receive.",
)


def daytime(now: float) -> bytes:
    """
    Date and time as a line (RFC 867): C{Friday, November 20, 2026 20:42:38-UTC}.

    @param now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    text = f"{day}, {month} {moment.day}, {moment.year} {moment:%H:%M:%S}-UTC\r\n"
    return text.encode("ascii")


def timeSince1900(now: float) -> bytes:
    """
    The seconds since 1900 as a 32-bit number, most significant byte first (RFC 868). In 2036 it begins
    anew.

    @param now: seconds since 1970.
    """
    return struct.pack(">I", (int(now) + _EPOCH) & 0xFFFFFFFF)


def secondsSince1970(seconds: int) -> int:
    """What L{timeSince1900} says, counted from 1970; meant is a time from 1968 to 2104."""
    return (seconds - _EPOCH) if seconds >= 1 << 31 else seconds + (1 << 32) - _EPOCH


# Not strftime's: those depend on the locale.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
