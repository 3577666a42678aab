"""
Our own servers and clients, which have to pass their contracts as well.
"""

from __future__ import annotations

import sys

from labnet.calculator.wire import PROFILES
from tests.check.programs import Case

_LABNET = (sys.executable, "-m", "labnet")


def _calculatorClient(transport: str, profile: str) -> Case:
    command = (
        *_LABNET,
        "calculator",
        "-c",
        f"{transport}:{{host}}:{{port}}",
        "-p",
        profile,
        "-t",
        "1",
        "12",
        "+",
        "34",
    )
    return Case("calculator", "our_client", "", "client", profile, transport, command)


OURS = [
    *(
        Case("calculator", "our_server", "", "server", profile, transport, ())
        for profile in PROFILES
        for transport in ("tcp", "udp")
    ),
    _calculatorClient("tcp", "struct9"),
    _calculatorClient("udp", "struct9"),
]
