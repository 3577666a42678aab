"""
What goes through a relay, taken apart where it can be.
"""

from __future__ import annotations

import struct

from labnet.net.dissection import dissectorFor
from tests.dissections import IN, dissect, made


def test_requestsOfAProfile() -> None:
    """Those of its clients, and those it asks itself."""
    asked = made("relay", "net to udp:127.0.0.1:9001", "udp").written(struct.pack("<f", 46))
    assert (asked[0].name, asked[0].value) == ("reply 1", "46.0")
    fields, _ = dissect(
        made("relay", "net to udp:127.0.0.1:9001"), [(IN, struct.pack("!cii", b"+", 12, 34))]
    )
    assert (fields[0].name, fields[0].value) == ("request 1", "12 + 34")


def test_anyBytesAreNotTakenApart() -> None:
    assert dissectorFor("relay", "to tcp:127.0.0.1:9000", "tcp") is None
    assert dissectorFor("relay", "to udp:127.0.0.1:9001", "udp") is None
