"""
Why a request is not done.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Refusal", "Trouble"]


class Trouble(Enum):
    """Why a request is refused. The values are words of the framed protocol."""

    BAD_REQUEST = "bad-request"
    BAD_NAME = "bad-name"
    NOT_FOUND = "not-found"
    BAD_OFFSET = "bad-offset"
    TOO_LARGE = "too-large"
    EXISTS = "exists"
    READ_ONLY = "read-only"
    DENIED = "denied"
    NO_ROOM = "no-room"
    DAMAGED = "damaged"
    BUSY = "busy"


class Refusal(Exception):
    """
    A request that is not done. The text is a sentence for the peer: it names no path of this machine.

    @ivar trouble: why.
    """

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble
