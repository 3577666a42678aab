"""
Codings, done and undone, also where the data is damaged.
"""

from __future__ import annotations

import zlib
from importlib import import_module

import pytest

from labnet.proxyselftest import codings
from labnet.proxyselftest.codings import PRIVATE, decoded, encoded
from labnet.proxyselftest.scenario import Unbuildable

CONTENT = b"".join(b"line %d of a page\n" % number for number in range(1_000))


@pytest.mark.parametrize(
    ("made", "named"),
    [("gzip", b"gzip"), ("gzip", b"X-GZip"), ("zlib", b"deflate"), ("raw", b"deflate"), ("br", b"br"),
     ("zstd", b" zstd ")],
)  # fmt: skip
def test_whatIsDoneIsUndone(made: str, named: bytes) -> None:
    assert decoded(named, encoded(made, CONTENT)) == CONTENT


def test_severalMembersAndFrames() -> None:
    for coding in ("gzip", "zstd"):
        assert decoded(coding.encode(), encoded(coding, b"one") + encoded(coding, b"two")) == b"onetwo"


@pytest.mark.parametrize("coding", ["gzip", "zlib", "br", "zstd"])
def test_ofWhatIsCutTheBeginningIsRead(coding: str) -> None:
    """As a browser shows it."""
    data = encoded(coding, CONTENT)
    named = b"deflate" if coding == "zlib" else coding.encode()
    assert CONTENT.startswith(decoded(named, data[:-4]))
    if coding in ("gzip", "zlib"):
        assert decoded(named, data[:-4]) == CONTENT


def test_damageEndsItWhereItIs() -> None:
    data = zlib.compress(bytes(range(256)) * 40, 0)
    damaged = data[:-4] + b"abcd"
    assert decoded(b"deflate", damaged)[:5_000] == (bytes(range(256)) * 40)[:5_000]


def test_whatFollowsIsPassedOver() -> None:
    assert decoded(b"gzip", encoded("gzip", CONTENT) + b"HTTP/1.1 200 OK\r\n\r\n") == CONTENT


def test_bombsAreBounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "MOST_DECODED", 100_000)
    for coding in ("gzip", "zstd"):
        assert 100_000 <= len(decoded(coding.encode(), encoded(coding, bytes(10**7)))) <= 100_001


def test_oneOfOurOwnAndOneOfNobody() -> None:
    assert decoded(PRIVATE, b"olleh") == b"hello"
    assert decoded(b"x-nobody", b"hello") == b""
    assert decoded(b"gzip", b"hello") == b""


def test_whatIsNotInstalledIsNamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        if name in ("brotli", "compression.zstd", "backports.zstd"):
            raise ImportError(name)
        return import_module(name)

    data = encoded("br", CONTENT)
    monkeypatch.setattr(codings, "import_module", missing)
    for coding in ("br", "zstd"):
        with pytest.raises(Unbuildable, match="labnet\\[compress\\]"):
            encoded(coding, CONTENT)
    assert decoded(b"br", data) == b""
