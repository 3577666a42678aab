"""
The file of passwords.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.passwords import BadPasswordFile, hashed, parsePasswords
from tests.passwords import SECRET


def test_aLineIsReadBack() -> None:
    made = hashed("\u00fc:secret")
    parsed = parsePasswords(f"# a comment\n\n{made.line('joe')}\n{SECRET.line('jim')}")
    assert parsed == {"joe": made, "jim": SECRET}
    assert made.matches("\u00fc:secret")
    assert made.matches("u\u0308:secret"), "composed by another keyboard"
    assert not made.matches("\u00fc:Secret")
    assert hashed("x").salt != hashed("x").salt


@pytest.mark.parametrize(
    "line",
    [
        "joe", "joe:secret", "joe:md5:16384:8:5:c2FsdA==:aGFzaA==", ":" + SECRET.line("x")[2:],
        "joe:scrypt:16384:8:5:c2FsdA==:aGFzaA==",
        SECRET.line("joe").replace(":2:", ":3:"), SECRET.line("joe").replace(":2:", ":0:"),
        SECRET.line("joe").replace(":8:", ":x:"),
        SECRET.line("joe").replace(":2:", ":1073741824:"), SECRET.line("joe").replace(":1:", ":1000:"),
        SECRET.line("joe") + "!",
        SECRET.line("joe") + "\n" + SECRET.line("joe"),
    ],
)  # fmt: skip
def test_aMistakeInTheFileIsOneLine(line: str) -> None:
    with pytest.raises(BadPasswordFile) as caught:
        parsePasswords(f"# comment\n{line}")
    assert str(caught.value).startswith("line ")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_anyTextIsReadOrRefused(text: str) -> None:
    with suppress(BadPasswordFile):
        parsePasswords(text)
