"""
Length-prefixed messages, without input or output.

A message is its length as a four-byte integer, then that many bytes; see C{docs/protocols/framing.md}.
"""

from __future__ import annotations

import struct
from typing import Literal

__all__ = ["FramingError", "LengthPrefixed", "MessageTooLong", "TruncatedMessage"]


class FramingError(Exception):
    """The peer broke the framing; nothing after this point of the stream can be read."""


class MessageTooLong(FramingError):
    """The peer announced a length that is negative or above the maximum."""


class TruncatedMessage(FramingError):
    """The stream ended in the middle of a message."""


class LengthPrefixed:
    """
    Takes a stream of length-prefixed messages apart, and puts messages together.

    The announced length is checked before a single byte is kept for it, so a peer that lies costs
    nothing: what is held is at most C{maximum} + 4 bytes beyond the piece being read.

    @param maximum: the longest message allowed, in bytes; also for L{encode}.
    @param order: C{"big"} (the network's) or C{"little"}.
    @param signed: read the length as a signed integer, so that C{ff ff ff ff} is -1 and not 4 GiB;
        either way it is refused.
    """

    PREFIX_SIZE = 4

    def __init__(
        self,
        maximum: int,
        order: Literal["big", "little"] = "big",
        *,
        signed: bool = False,
    ) -> None:
        self.maximum = maximum
        self._prefix = struct.Struct((">" if order == "big" else "<") + ("i" if signed else "I"))
        self._buffer = bytearray()
        self._broken: FramingError | None = None

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take a piece of the stream.

        @return: the messages it completed, in order. When a bad length follows good messages they are
            returned, and the next call raises.
        @raise MessageTooLong: the next length is not acceptable. From then on every call raises.
        """
        if self._broken is not None:
            raise self._broken
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        start = 0
        while len(buffer) - start >= self.PREFIX_SIZE:
            (length,) = self._prefix.unpack_from(buffer, start)
            if not 0 <= length <= self.maximum:
                self._broken = MessageTooLong(f"length {length}, allowed 0 to {self.maximum}")
                buffer.clear()
                if messages:
                    return messages
                raise self._broken
            end = start + self.PREFIX_SIZE + length
            if len(buffer) < end:
                break
            messages.append(bytes(buffer[start + self.PREFIX_SIZE : end]))
            start = end
        del buffer[:start]
        return messages

    @property
    def broken(self) -> FramingError | None:
        """The error that ended this stream, or L{None}; set even while good messages are returned."""
        return self._broken

    def end(self) -> None:
        """
        The stream has ended.

        @raise TruncatedMessage: it ended in the middle of a message.
        """
        if self._buffer:
            raise TruncatedMessage(f"the stream ended after {len(self._buffer)} bytes of a message")

    def encode(self, payload: bytes) -> bytes:
        """
        The bytes of one message.

        @raise ValueError: C{payload} is longer than the maximum.
        """
        if len(payload) > self.maximum:
            raise ValueError(f"{len(payload)} bytes, allowed are {self.maximum}")
        return self._prefix.pack(len(payload)) + payload
