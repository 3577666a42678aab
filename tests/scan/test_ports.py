"""
Lists of ports: what they mean, what is refused, and that writing and reading agree.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.scan.ports import HIGHEST, BadPorts, formatPorts, parsePorts


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", (80,)),
        ("22,80", (22, 80)),
        ("80,22,80", (22, 80)),
        ("8000-8003", (8000, 8001, 8002, 8003)),
        ("22, 80", (22, 80)),
        ("-3", (1, 2, 3)),
        ("65534-", (65534, 65535)),
        ("1-2,2-3", (1, 2, 3)),
        ("00080", (80,)),
    ],
)
def test_whatAListMeans(text: str, ports: tuple[int, ...]) -> None:
    assert parsePorts(text) == ports


def test_aDashIsEveryPort() -> None:
    assert parsePorts("-") == tuple(range(1, 65536))


@pytest.mark.parametrize("text", ["0", "65536", "0-10", "1-65536", "22,0", "99999"])
def test_portsThatAreNoneAreRefused(text: str) -> None:
    with pytest.raises(BadPorts, match="ports go from 1 to 65535"):
        parsePorts(text)


@pytest.mark.parametrize("text", ["", ",", "22,", "http", "1-2-3", "--", "100000", "+1", "٣", "1 2"])
def test_whatIsNoListIsRefused(text: str) -> None:
    with pytest.raises(BadPorts, match="neither a port nor a range"):
        parsePorts(text)


def test_aRangeRunsForwards() -> None:
    with pytest.raises(BadPorts, match="backwards"):
        parsePorts("9-8")


@given(st.text(alphabet="0123456789,- x\n", max_size=30))
def test_anyTextIsAListOrRefused(text: str) -> None:
    """Whatever is written gives ports in order, each once and within bounds, or a refusal of one line."""
    refusal = ""
    ports: tuple[int, ...] = (1,)
    try:
        ports = parsePorts(text)
    except BadPorts as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert list(ports) == sorted(set(ports))
    assert ports[0] >= 1
    assert ports[-1] <= HIGHEST


@given(st.sets(st.integers(1, HIGHEST), min_size=1, max_size=300))
def test_whatIsWrittenIsReadAgain(ports: set[int]) -> None:
    assert parsePorts(formatPorts(sorted(ports))) == tuple(sorted(ports))


def test_rangesAreWrittenShort() -> None:
    assert formatPorts(range(1, 65536)) == "1-65535"
    assert formatPorts([1, 2, 3, 5, 7, 8]) == "1-3,5,7-8"
    assert formatPorts([]) == ""
