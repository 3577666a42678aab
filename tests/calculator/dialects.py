"""
The dialects as the tests of their wire module need them: their names, an exchange, and its bytes.
"""

from __future__ import annotations

from hypothesis import strategies as st

from labnet.calculator.arithmetic import INT32_MAX, INT32_MIN
from labnet.calculator.wire import PROFILES, EndOfSession

NAMES = list(PROFILES)
INTEGERS = ["struct9", "int4", "text", "ici", "ici-text", "net", "framed"]
int32 = st.integers(INT32_MIN, INT32_MAX)


def ask(name: str, request: bytes, modulo: bool = False) -> bytes:
    """What a server of that profile answers to these bytes, over a stream."""
    profile = PROFILES[name]
    requests = profile.requests.reader().feed(request)
    return b"".join(
        profile.answer(each, profile.division, modulo)
        for each in requests
        if not isinstance(each, EndOfSession)
    )


REQUEST_12_34 = {
    "struct9": "0c000000 22000000 2b",
    "int4": "0c000000 22000000 2b",
    "text": "0c000000 22000000 2b",
    "ici": "0c000000 2b000000 22000000",
    "ici-text": "0c000000 2b000000 22000000",
    "fcf": "00004041 2b000000 00000842",
    "ffc": "00004041 00000842 2b",
    "net": "2b 0000000c 00000022",
    "framed": "09000000 0c000000 22000000 2b",
    "json": b'{"oper1":12,"oper2":34,"op":"+"}'.hex(),
}
REPLY_46 = {
    "struct9": "2e000000 00000000 52",
    "int4": "2e000000",
    "text": b"46".hex(),
    "ici": "2e000000",
    "ici-text": b"46".hex(),
    "fcf": b"46.0".hex(),
    "ffc": "00003842 00000000 52",
    "net": "00003842",
    "framed": "2e000000 00000000 52",
    "json": b'{"result": 46}'.hex(),
}
ERROR = {
    "struct9": bytes.fromhex("00000000 00000000 45"),
    "int4": bytes(4),
    "text": b"div by 0",
    "ici": bytes(4),
    "ici-text": b"div by 0",
    "fcf": b"div by 0",
    "ffc": bytes.fromhex("0000c07f 00000000 45"),
    "net": bytes.fromhex("0000c07f"),
    "framed": bytes.fromhex("00000000 00000000 45"),
    "json": b'{"error": "div by 0"}',
}
