"""
What goes through a relay, taken apart where it can be.
"""

from __future__ import annotations

import struct

from labnet.net.dissection import dissectorFor
from tests.dissections import IN, dissect, made


def test_requestsOfAProfile() -> None:
    fields, _ = dissect(
        made("relay", "net to udp:127.0.0.1:9001"), [(IN, struct.pack("!cii", b"+", 12, 34))]
    )
    assert (fields[0].name, fields[0].value) == ("request 1", "12 + 34")


def test_anyBytesAreNotTakenApart() -> None:
    assert dissectorFor("relay", "to tcp:127.0.0.1:9000", "tcp") is None
    assert dissectorFor("relay", "to udp:127.0.0.1:9001", "udp") is None
