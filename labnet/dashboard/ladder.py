"""
One conversation as a ladder: what was sent by whom, and what it means.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from labnet.dashboard.wire import event, notice, row
from labnet.net.dissection import Dissector, Field, fieldsOf
from labnet.net.noticing import Notice, Noticing
from labnet.net.trace import Conversation, Event, Happening

__all__ = ["Ladder", "Ladders"]

#: Of one answer: rungs, bytes of pieces, and fields that became clear with one piece.
MOST_RUNGS = 300
MOST_BYTES = 128 * 1024
MOST_FIELDS = 200


class Ladder:
    """
    Reads a conversation as it grows. What was forgotten before it was read can not be decoded; what
    comes after it in the same stream can not either, for nobody knows where a message begins.

    @param conversation: whose it is.
    @param dissector: takes its messages apart, if there is one for its service.
    @ivar problem: why something is not decoded, as a sentence; empty when nothing is missing.
    """

    def __init__(self, conversation: Conversation, dissector: Dissector | None) -> None:
        self.conversation = conversation
        self.problem = ""
        self._dissector = dissector
        self._datagrams = conversation.transport == "udp"
        self._read = 0
        self._fields: dict[int, tuple[Sequence[Field], int]] = {}
        self._noticing = Noticing(self._datagrams)
        self._notices: list[Notice] = []

    def read(self) -> None:
        """Take apart what is new."""
        conversation = self.conversation
        if self._dissector is not None and conversation.forgotten > self._read and not self._datagrams:
            self._stop("The beginning of this conversation is no longer kept, so the rest is not decoded.")
        for happened in self._since(self._read):
            self._read = happened.number
            fields = fieldsOf(self._dissector, happened)
            if fields:
                omitted = max(0, len(fields) - MOST_FIELDS)
                self._fields[happened.number] = (tuple(fields[:MOST_FIELDS]), omitted)
            self._notices += self._noticing.happened(happened, fields)
        forgotten = [number for number in self._fields if number <= conversation.forgotten]
        for number in forgotten:
            del self._fields[number]

    def page(self, after: int) -> dict[str, object]:
        """
        What happened after event number C{after}: at most L{MOST_RUNGS} rungs and L{MOST_BYTES} bytes.

        @return: for the page: C{conversation}, C{rungs}, C{forgotten}, C{problem}, C{notices} (all that
            there is to notice so far), and C{more}, whether there are further rungs.
        """
        self.read()
        places = self._places()
        rungs: list[dict[str, object]] = []
        size, more = 0, False
        for happened in self._since(after):
            size += len(happened.data)
            if rungs and (len(rungs) == MOST_RUNGS or size > MOST_BYTES):
                more = True
                break
            fields, omitted = self._fields.get(happened.number, ((), 0))
            rungs.append(event(happened, *places[happened.number], fields, omitted))
        return {
            "conversation": row(self.conversation),
            "rungs": rungs,
            "forgotten": self.conversation.forgotten,
            "problem": self.problem,
            "notices": [notice(found) for found in self._notices],
            "more": more,
        }

    def _since(self, after: int) -> list[Event]:
        """The events with a greater number."""
        events = self.conversation.events
        first = max(0, after - self.conversation.forgotten)
        # From the end it is a step each; a deque has no shorter way to its middle.
        newer = [
            happened for happened, _ in zip(reversed(events), range(len(events) - first), strict=False)
        ]
        return newer[::-1]

    def _places(self) -> dict[int, tuple[int, int]]:
        """By event, where its bytes begin in their direction, and which piece they are there."""
        conversation = self.conversation
        left = {
            Happening.RECEIVED: [conversation.bytesIn, conversation.piecesIn],
            Happening.WRITTEN: [conversation.bytesOut, conversation.piecesOut],
        }
        places: dict[int, tuple[int, int]] = {}
        for happened in reversed(conversation.events):
            before = left.get(happened.what)
            if before is None:
                places[happened.number] = (0, 0)
                continue
            before[0] -= happened.size
            places[happened.number] = (0 if self._datagrams else before[0], before[1])
            before[1] -= 1
        return places

    def _stop(self, why: str) -> None:
        self._dissector = None
        self.problem = why


class Ladders:
    """
    The ladders that somebody looks at, so that a conversation that grows is not read again from its
    beginning.

    @param dissectorFor: finds what takes the messages of a conversation apart.
    @param most: how many are remembered.
    """

    def __init__(self, dissectorFor: Callable[[Conversation], Dissector | None], most: int = 16) -> None:
        self._dissectorFor = dissectorFor
        self._most = most
        self._ladders: OrderedDict[int, Ladder] = OrderedDict()

    def of(self, conversation: Conversation) -> Ladder:
        """The ladder of a conversation."""
        ladder = self._ladders.get(conversation.id)
        if ladder is None or ladder.conversation is not conversation:
            ladder = Ladder(conversation, self._dissectorFor(conversation))
            self._ladders[conversation.id] = ladder
            while len(self._ladders) > self._most:
                self._ladders.popitem(last=False)
        self._ladders.move_to_end(conversation.id)
        return ladder

    def clear(self) -> None:
        """Nobody looks any more."""
        self._ladders.clear()
