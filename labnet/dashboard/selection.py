"""
Which conversations somebody wants to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labnet.net.trace import Conversation

__all__ = ["EVERYTHING", "Selection", "newest", "whereOf"]

#: Characters of what somebody looks for.
_LONGEST = 100


def whereOf(transport: str, local: tuple[str, int]) -> str:
    """What the conversations of one listener have in common: C{tcp:9000}, C{unix:/run/x}."""
    host, port = local
    return f"unix:{host}" if transport == "unix" else f"{transport}:{port}"


@dataclass(frozen=True, slots=True)
class Selection:
    """
    A filter; what is empty lets everything pass.

    @ivar service: a name in the catalogue.
    @ivar where: a listener, see L{whereOf}.
    @ivar text: part of the peer's address, of the service, its detail or the outcome, in lower case; or
        C{#} and a conversation's number.
    @ivar state: C{"open"} or C{"ended"}.
    """

    service: str = ""
    where: str = ""
    text: str = ""
    state: str = ""

    @classmethod
    def read(cls, given: Mapping[bytes, Sequence[bytes]]) -> Selection:
        """From the arguments of a URL; what is not understood is left out."""

        def first(name: bytes) -> str:
            values = given.get(name) or [b""]
            return values[0][:_LONGEST].decode("utf-8", "replace").strip()

        state = first(b"state")
        return cls(
            first(b"service"),
            first(b"where"),
            first(b"text").lower(),
            state if state in ("open", "ended") else "",
        )

    def takes(self, conversation: Conversation) -> bool:
        """Whether it is one of them."""
        if self.service and conversation.service != self.service:
            return False
        if self.state and (conversation.closedAt is None) != (self.state == "open"):
            return False
        if self.where and whereOf(conversation.transport, conversation.local) != self.where:
            return False
        return not self.text or self._found(conversation)

    def _found(self, conversation: Conversation) -> bool:
        if self.text.startswith("#"):
            return self.text[1:] == str(conversation.id)
        host, port = conversation.peer
        words = (f"{host}:{port}", conversation.service, conversation.detail, conversation.outcome)
        return any(self.text in word.lower() for word in words)


EVERYTHING = Selection()


def newest(
    conversations: Iterable[Conversation], selection: Selection, most: int
) -> tuple[list[Conversation], int]:
    """
    The last C{most} of the conversations that are selected, the newest first.

    @return: they, and how many others there are.
    """
    found = list(conversations)
    if selection != EVERYTHING:
        found = [conversation for conversation in found if selection.takes(conversation)]
    return found[: -most - 1 : -1], max(0, len(found) - most)
