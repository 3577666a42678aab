"""
What keeps a datagram echo from talking to another one for ever, without input or output.

An echo must answer anything, and what another echo sends back is anything. The two can not be told
from a client and a server by what they say; but a client stops some time, and a loop does not, and a
loop that misses one answer is over. So the answers to one port are counted, until it has been silent
for a while. See C{docs/protocols/datagrams.md}.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from labnet.echo.wire import PREFIX

__all__ = ["Dampening", "Patience"]

_MARK = PREFIX.upper()


@dataclass(frozen=True, slots=True)
class Patience:
    """
    What is answered to one port before it has to be silent.

    @ivar repeats: how often the same message is answered again; 0: no limit.
    @ivar unbroken: messages that are answered; 0: no limit.
    @ivar silence: seconds without any datagram from there, after which the count begins anew.
    @ivar ports: ports that are counted at the same time; while there are so many no other one is
        answered, for to forget one of them would let its loop go on.
    @ivar remembered: different messages of one port that are remembered.
    """

    repeats: int = 10
    unbroken: int = 1_000
    silence: float = 1.0
    ports: int = 16_384
    remembered: int = 64


class _Talk:
    """
    What one port said without a break.

    @ivar heardAt: when it said something last.
    @ivar answers: how many of it were answered.
    @ivar times: how often each message came, by its hash, the longest known first.
    """

    __slots__ = ("answers", "heardAt", "times")

    def __init__(self) -> None:
        self.heardAt = 0.0
        self.answers = 0
        self.times: dict[int, int] = {}


class Dampening:
    """
    Says whether a datagram is answered. Time is given, not read.

    However another program answers, it gets L{Patience.unbroken} answers at most; one that returns what
    it hears, in any case, with any number of C{Echo: } before it, gets L{Patience.repeats} + 1.

    @ivar counts: whether there is any limit.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.counts = bool(self.patience.repeats or self.patience.unbroken)
        self._talks: OrderedDict[tuple[str, int], _Talk] = OrderedDict()

    def __len__(self) -> int:
        return len(self._talks)

    def objection(self, source: tuple[str, int], datagram: bytes, now: float) -> str | None:
        """
        Why a datagram is not answered, in one of a few sentences for the log, or L{None} when it is; then
        it is counted.

        @param now: the time in seconds.
        """
        patience = self.patience
        if not self.counts:
            return None
        talk = self._talkOf(source, now)
        if talk is None:
            return "from too many ports at a time"
        if patience.unbroken and talk.answers >= patience.unbroken:
            return "without a break"
        if patience.repeats and self._isRepeated(talk, datagram):
            return "said again and again"
        talk.answers += 1
        return None

    def _talkOf(self, source: tuple[str, int], now: float) -> _Talk | None:
        talks = self._talks
        self._forgetSilent(now)
        talk = talks.get(source)
        if talk is None:
            if len(talks) >= self.patience.ports:
                return None
            talk = talks[source] = _Talk()
        else:
            talks.move_to_end(source)
        talk.heardAt = now
        return talk

    def _forgetSilent(self, now: float) -> None:
        """Forget the ports that have been silent. They are at the front: who speaks goes to the back."""
        talks = self._talks
        while talks:
            source, talk = next(iter(talks.items()))
            # When the clock is set back everything is forgotten, rather than nothing for a long time.
            if 0 <= now - talk.heardAt < self.patience.silence:
                break
            del talks[source]

    def _isRepeated(self, talk: _Talk, datagram: bytes) -> bool:
        times = talk.times
        said = hash(_essence(datagram))
        count = times.pop(said, 0)
        if not count and len(times) >= self.patience.remembered:
            del times[next(iter(times))]
        times[said] = count + 1
        return count > self.patience.repeats


def _essence(datagram: bytes) -> bytes:
    """What remains the same when an echo answers in upper case, or puts its C{Echo: } before it."""
    folded = datagram.upper()
    return folded[folded.rfind(_MARK) + len(_MARK) :] if _MARK in folded else folded
