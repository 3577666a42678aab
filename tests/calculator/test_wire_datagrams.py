"""
The ten dialects over UDP: what is a request, and that no two servers can be made to feed each other.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import Calculation, Fault
from labnet.calculator.wire import PROFILES, EndOfSession, Malformed, Profile
from tests.calculator.dialects import NAMES, REQUEST_12_34, int32


@pytest.mark.parametrize("name", NAMES)
def test_aDatagramOfTheWrongSizeIsNoRequest(name: str) -> None:
    good = bytes.fromhex(REQUEST_12_34[name])
    decode = PROFILES[name].requests.decodeDatagram
    assert decode(good) == Calculation(12, "+", 34)
    for bad in (b"", good[:-1], good + good, good + b"\0\0", bytes(65_507)):
        request = decode(bad)
        assert request is None or isinstance(request, Malformed), bad


def _answerDatagram(profile: Profile, datagram: bytes) -> bytes | None:
    request = profile.requests.decodeDatagram(datagram)
    if request is None or isinstance(request, EndOfSession):
        return None
    return profile.answer(request, profile.datagramDivision, True)


def _exchanges(one: Profile, other: Profile, datagram: bytes) -> int:
    """How many datagrams two servers send each other, once C{one} has got this one."""
    count = 0
    answer = _answerDatagram(one, datagram)
    while answer is not None:
        count += 1
        assert count < 10, "they talk for ever"
        one, other = other, one
        answer = _answerDatagram(one, answer)
    return count


_REPLIES = [
    *(Fault),
    0, 1, -1, 46, 43, 42, 45, 47, 37, 11051, -123_456_78, 123_456_789, -2_147_483_648, 2_147_483_647,
    0x2B2B2B2B, 0x2B, -1.5, 1e9, -1e-9, math.nan, math.inf, 0.1, 1.2345678, -1.234e-5, 8.687e-44,
]  # fmt: skip


@pytest.mark.parametrize("one", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_twoServersNeverTalkForEver(one: str, other: str) -> None:
    """
    For every pair of profiles: whatever reply of one of them is sent to the other, they send each other
    at most two datagrams before one of them is no request.
    """
    for result in _REPLIES:
        try:
            reply = PROFILES[other].replies.encode(result)
        except (ValueError, OverflowError):
            continue
        assert _exchanges(PROFILES[one], PROFILES[other], reply) <= 2


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.one_of(int32, st.floats()))
def test_twoServersNeverTalkForEverWhateverTheReply(one: str, other: str, result: float) -> None:
    try:
        reply = PROFILES[other].replies.encode(result)
    except (ValueError, OverflowError):
        return
    assert _exchanges(PROFILES[one], PROFILES[other], reply) <= 2


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.binary(min_size=9, max_size=13))
def test_twoServersNeverTalkForEverWhateverWasForged(one: str, other: str, forged: bytes) -> None:
    """A datagram whose source is forged to be another server starts a chain that ends at once."""
    assert _exchanges(PROFILES[one], PROFILES[other], forged) <= 3


@pytest.mark.parametrize("name", NAMES)
def test_aReplyIsNoRequestOfItsOwnProfile(name: str) -> None:
    """A reply that an echo sends back is not answered, except as an error that is no request."""
    profile = PROFILES[name]
    for result in _REPLIES:
        reply = profile.replies.encode(result)
        answer = _answerDatagram(profile, reply)
        assert answer is None or _answerDatagram(profile, answer) is None
