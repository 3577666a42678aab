"""
The pages that stand in place of what the proxy does not let through: templates in HTML.

C{{{reason}}}, C{{{rule}}}, C{{{status}}} and C{{{url}}} are replaced by what there is to say, escaped so
that it is text wherever HTML takes text, in the value of an attribute too; it is not for scripts.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

__all__ = ["BLOCK_PAGE", "ERROR_PAGE", "BadPage", "Page", "Words", "printable"]

#: How much of anything a page, an answer or the log repeats, in characters.
_LONGEST = 300

_PLACE = re.compile(rb"\{\{[ \t]*([^{}\r\n]*?)[ \t]*\}\}")


class BadPage(ValueError):
    """A template that can not be used; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Words:
    """
    What there is to say.

    @ivar status: the status code and its phrase.
    @ivar reason: why.
    @ivar rule: which rule it was; empty if it was none.
    @ivar url: what was asked for; empty if that could not be read.
    """

    status: str
    reason: str
    rule: str = ""
    url: str = ""


_PLACES = frozenset(name.encode("ascii") for name in Words.__slots__)


@dataclass(frozen=True, slots=True)
class Page:
    """
    A template.

    @ivar source: the file as it is, in any charset that has ASCII in it.
    @raise BadPage: there is something between C{{{} and C{}}} that is none of the four words.
    """

    source: bytes
    _parts: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = tuple(_PLACE.split(self.source))
        for name in parts[1::2]:
            if name not in _PLACES:
                known = ", ".join(sorted(place.decode("ascii") for place in _PLACES))
                raise BadPage(f"{{{{{printable(name.decode('latin-1'))}}}}} is none of {known}")
        object.__setattr__(self, "_parts", parts)

    def filled(self, words: Words) -> bytes:
        """The page, with the words in their places."""
        if len(self._parts) == 1:
            return self.source
        return b"".join(
            _text(getattr(words, part.decode("ascii"))) if place % 2 else part
            for place, part in enumerate(self._parts)
        )


def _text(word: str) -> bytes:
    return html.escape(printable(word)).encode("ascii")


def printable(text: str) -> str:
    """The text in printable ASCII on one line, the rest of it escaped; shortened if it is long."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)


_STYLE = """
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1c2330; --faint: #5d6778;
  --line: #d9dde4; --mark: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171d; --card: #1e232c; --ink: #e7eaf0;
  --faint: #9aa5b6; --line: #333b48; --mark: #ff8a80; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; min-height: 100vh; margin: 0; padding: 1rem; display: grid;
  place-items: center; background: var(--ground); color: var(--ink); }
main { width: 100%; max-width: 36rem; padding: 1.5rem; overflow-wrap: anywhere; background: var(--card);
  border: 1px solid var(--line); border-top: .3rem solid var(--mark); border-radius: .8rem; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .75rem; }
p { margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0 0 1rem; }
dt, footer { color: var(--faint); }
dd { margin: 0; }
code { font: .9rem/1.5 ui-monospace, monospace; }
footer { font-size: .875rem; padding-top: .75rem; border-top: 1px solid var(--line); }
"""


def _page(body: str) -> Page:
    return Page(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{{status}}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,">\n<style>{_STYLE}</style></head>\n'
            f"<body><main><h1>{{{{status}}}}</h1>\n{body}\n"
            "<footer>labnet proxy</footer></main></body></html>\n"
        ).encode("ascii")
    )


#: What is shown in place of what is blocked, unless somebody has a page of their own. It does not name the
#: rule, which may be the blocked string itself: that would stop it at the next proxy.
BLOCK_PAGE = _page(
    "<p>What was asked for is not shown here, because a rule of this proxy blocks it.</p>\n"
    "<dl><dt>address</dt><dd><code>{{url}}</code></dd>\n<dt>found in</dt><dd>{{reason}}</dd></dl>"
)

#: The same for errors.
ERROR_PAGE = _page("<p>{{reason}}.</p>")
