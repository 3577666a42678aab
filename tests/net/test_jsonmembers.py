"""
Where the members of a JSON object stand.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labnet.net.jsonmembers import Member, members

values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@settings(max_examples=50, deadline=None)
@given(
    object_=st.dictionaries(st.text(), values | st.dictionaries(st.text(), values, max_size=2), max_size=4),
    short=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
def test_everyMemberHasItsPlace(object_: dict[str, object], short: bool, indent: int | None) -> None:
    """In bytes, also where a character has several; what stands there is its name and its value."""
    data = json.dumps(object_, ensure_ascii=short, indent=indent).encode("utf-8", "surrogatepass")
    found = members(data)
    assert found is not None
    assert {member.name: member.value for member in found} == object_
    for member in found:
        assert json.loads(b"{" + data[member.start : member.end] + b"}") == {member.name: member.value}
        assert json.loads(member.raw) == member.value


def test_aMember() -> None:
    assert members('{ "ő" : [1, 2] , "b":true}'.encode()) == [
        Member(2, 15, "ő", "[1, 2]", [1, 2]),
        Member(18, 26, "b", "true", True),
    ]


def test_oneThatComesTwiceIsThereTwice() -> None:
    found = members(b'{"a":1,"a":2}')
    assert found is not None
    assert [member.value for member in found] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b'{"a"}', b'{"a":1', b'{"a":1,}', b'{"a":1 "b":2}', b"{1:2}", b"\xff", b"{" * 5_000,
     b'{"a":' + b"[" * 100_000, b'{"a":' + b"9" * 5_000 + b"}"],
)  # fmt: skip
def test_whatIsNoObject(data: bytes) -> None:
    assert members(data) is None
