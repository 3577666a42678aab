"""
What the calculator's contract asks and answers: calculations, their bytes in each profile, what must come.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.objects import ObjectScanner, loads
from labnet.calculator.replies import JSONReply, TextReply
from labnet.calculator.wire import PROFILES, Profile
from labnet.check.evidence import Kind, Signs
from labnet.check.expectation import Expectation, Mismatch, aNumber, exactly, taken
from labnet.check.mistakes import Mistake

__all__ = [
    "CALCULATION",
    "DELIMITED",
    "TELLING",
    "Question",
    "aRequest",
    "answerTo",
    "orderIsWrong",
    "question",
    "signsOf",
    "some",
]

#: The profiles whose replies say where they end.
DELIMITED = tuple(name for name, profile in PROFILES.items() if not isinstance(profile.replies, TextReply))
#: The profiles in which a reply can say that it is an error.
TELLING = tuple(name for name in PROFILES if name not in ("int4", "ici"))
#: Its operands and its result tell which order their bytes are in.
CALCULATION = Calculation(250, "+", 10)


@dataclass(frozen=True)
class Question:
    """A calculation, its request, the reply that is expected, and whether it says where it ends."""

    calculation: Calculation
    request: bytes
    answer: bytes
    reply: Expectation
    value: float
    delimited: bool

    @property
    def words(self) -> str:
        return f"the answer to {self.calculation}, {self.value:g}"


def question(variant: str, calculation: Calculation) -> Question:
    """A calculation in one profile. Its result must be a whole number."""
    profile = PROFILES[variant]
    answer = profile.answer(calculation, profile.division)
    value = profile.replies.decodeDatagram(answer)
    assert isinstance(value, (int, float))
    return Question(
        calculation,
        profile.requests.encode(calculation),
        answer,
        _reply(profile, answer, value),
        value,
        variant in DELIMITED,
    )


def some(dice: Random, variant: str, count: int = 1) -> list[Question]:
    """Some calculations with small numbers, as the dice fall."""
    return [
        question(variant, Calculation(dice.randint(20, 900), dice.choice("+-*"), dice.randint(2, 19)))
        for _ in range(count)
    ]


def _reply(profile: Profile, answer: bytes, value: float) -> Expectation:
    if isinstance(profile.replies, TextReply):
        return aNumber(value)
    if isinstance(profile.replies, JSONReply):
        return _object("result", value)
    return exactly(answer, f"the {len(answer)} bytes of {value:g}")


def _object(key: str, value: float) -> Expectation:
    """A JSON object with that field, and perhaps others."""

    def take(data: bytes, ended: bool) -> int | None:
        start = len(data) - len(data.lstrip())
        scanner = ObjectScanner()
        if data[start : start + 1] not in (b"", b"{"):
            raise Mismatch(start)
        for at in range(start, len(data)):
            if scanner.ends(data[at]):
                fields = loads(data[start : at + 1])
                if not isinstance(fields, dict) or fields.get(key) != value:
                    raise Mismatch(start)
                return at + 1
        return None

    return taken(take, f"an object with {key} {value:g}", b'{"%b": %d}' % (key.encode(), value))


def _swapped(variant: str, message: bytes) -> bytes:
    """A request, or a reply, with the bytes of its operands in the other order."""
    profile = PROFILES[variant]
    places = {"ici": (0, 8), "ici-text": (0, 8), "fcf": (0, 8), "net": (1, 5), "framed": (4, 8)}.get(
        variant, (0, 4)
    )
    if message != profile.requests.encode(CALCULATION):
        places = (0, 4)
    swapped = bytearray(message)
    for at in places:
        swapped[at : at + 4] = swapped[at : at + 4][::-1]
    return bytes(swapped)


def signsOf(variant: str, asked: Question) -> Signs:
    """What the answer looks like whose writer has made one of the usual mistakes with C{struct}."""
    signs: dict[object, Mistake] = {Kind.EXTRA: Mistake.PADDING}
    if variant not in ("text", "ici-text", "json"):
        profile = PROFILES[variant]
        misread = profile.requests.decodeDatagram(_swapped(variant, asked.request))
        assert isinstance(misread, Calculation)
        wrong = profile.answer(misread, profile.division)
        signs |= dict.fromkeys(
            (wrong, _swapped(variant, wrong), _swapped(variant, asked.answer)), Mistake.BYTE_ORDER
        )
    return signs


def aRequest(variant: str) -> tuple[Expectation, list[Calculation]]:
    """What finds a request in a stream, and the list that it is put into."""
    profile = PROFILES[variant]
    found: list[Calculation] = []

    def take(data: bytes, ended: bool) -> int | None:
        received = profile.requests.reader().split(data)
        if not received:
            return None
        request = received[0].request
        if not isinstance(request, Calculation) or request.operator not in "+-*/%":
            raise Mismatch(0)
        found.append(request)
        return len(received[0].raw)

    sample = profile.requests.encode(CALCULATION)
    return taken(take, f"a request, as 250 + 10 would be: {len(sample)} bytes", sample), found


def orderIsWrong(calculation: Calculation) -> bool:
    """Both operands are small numbers if their bytes are turned round, and large ones if not."""

    def turned(value: float) -> bool:
        return isinstance(value, int) and value != 0 and value % 0x10000 == 0

    return turned(calculation.a) and turned(calculation.b)


def answerTo(variant: str, calculation: Calculation) -> tuple[bytes, float]:
    """The reply to what a client asks, and its value."""
    profile = PROFILES[variant]
    answer = profile.answer(calculation, profile.division, modulo=True)
    value = profile.replies.decodeDatagram(answer)
    return answer, 0.0 if isinstance(value, Fault) else value
