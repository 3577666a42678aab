"""
The folder's pages, as text.
"""

from __future__ import annotations

import pytest

from labnet.files.pages import listPage, messagePage, readableSize, uploadPage
from labnet.files.wire import Entry

EVIL = "\"><script>x</script>&'%"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 KiB"),
        (1_742, "1.7 KiB"),
        (102_348, "99.9 KiB"),
        (102_400, "100 KiB"),
        (2**20, "1.0 MiB"),
        (2**30, "1.0 GiB"),
        (2**63 - 1, "8.0 EiB"),
    ],
)
def test_sizesForPeople(size: int, text: str) -> None:
    assert readableSize(size) == text


@pytest.mark.parametrize(
    ("mtime", "text"), [(0.0, "1970-01-01 00:00"), (1_700_000_000.9, "2023-11-14 22:13"), (1e300, "?")]
)
def test_whenAFileWasChanged(mtime: float, text: str) -> None:
    assert Entry("x", 1, mtime).changed == text


@pytest.mark.parametrize(
    "page",
    [listPage([Entry(EVIL, 1, 0.0)], True, True), uploadPage(EVIL, 0), messagePage(EVIL, EVIL)],
    ids=["list", "upload", "message"],
)
def test_whatIsOnAPageIsText(page: bytes) -> None:
    assert b"<script" not in page
    assert b"&lt;script&gt;" in page


def test_aRowOfTheList() -> None:
    page = listPage([Entry("a b", 1_742, 1_700_000_000)], False, False).decode()
    for piece in ('<a href="/a%20b">a b</a>', "1.7 KiB", "1,742 bytes", "2023-11-14 22:13"):
        assert piece in page
    assert "Upload" not in page
    assert "More" not in page


def test_thereIsMore() -> None:
    page = listPage([Entry("a", 1, 0.0), Entry("b&c", 1, 0.0)], True, True).decode()
    assert '<a href="/?after=b%26c">More files</a>' in page
    assert '<a href="/-/upload">Upload a file</a>' in page


def test_anEmptyFolder() -> None:
    assert b"There are no files." in listPage([], False, False)


def test_theFormSaysHowLargeAFileMayBe() -> None:
    assert b"At most 1.0 GiB." in uploadPage("token", 2**30)
    assert b"At most" not in uploadPage("token", 0)
