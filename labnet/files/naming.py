"""
Which names a file of the folder may have; see C{docs/protocols/files.md}.
"""

from __future__ import annotations

import re
import unicodedata

from labnet.files.refusal import Refusal, Trouble

__all__ = ["LONGEST_NAME", "checkName", "checkNewName"]

#: The longest name in bytes: what file systems take.
LONGEST_NAME = 255

#: Controls, formats (what turns the direction of text, what has no width), lone surrogates, line and
#: paragraph separators.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:\..*)?",
    re.IGNORECASE,
)


def checkName(name: bytes | str, *, hidden: bool = False) -> str:
    """
    A name as it may be looked up in a folder: one component, and nothing that means something else to some
    system, terminal or eye.

    @param hidden: whether it may begin with a dot.
    @raise Refusal: it is none.
    """
    if isinstance(name, bytes):
        try:
            name = name.decode("utf-8")
        except UnicodeDecodeError:
            raise _badName("is not UTF-8") from None
    # Nothing that can be printed is among them; a folder may have a hundred thousand names to look at.
    if not name.isprintable() and any(unicodedata.category(each) in _INVISIBLE for each in name):
        raise _badName("has a character that can not be seen")
    if not 0 < len(name.encode("utf-8")) <= LONGEST_NAME:
        raise _badName(f"is not of 1 to {LONGEST_NAME} bytes")
    if "/" in name or "\\" in name or ":" in name:
        raise _badName("has a separator: a slash, a backslash or a colon")
    if name in (".", "..") or (name.startswith(".") and not hidden):
        raise _badName("begins with a dot")
    if name != name.strip() or name.endswith("."):
        raise _badName("begins or ends with white space, or ends with a dot")
    if _DEVICE.fullmatch(name):
        raise _badName("is that of a device on some systems")
    return name


def checkNewName(name: bytes | str, *, hidden: bool = False) -> str:
    """
    The same for a file that is to be made; of two spellings that look the same only the composed one (NFC)
    is taken, and none that a command would take for an option.

    @raise Refusal: it is none.
    """
    checked = checkName(name, hidden=hidden)
    if not unicodedata.is_normalized("NFC", checked):
        raise _badName("is not in the composed form of Unicode (NFC)")
    if checked.startswith("-"):
        raise _badName("begins with a dash")
    return checked


def _badName(why: str) -> Refusal:
    return Refusal(Trouble.BAD_NAME, f"the name {why}")
