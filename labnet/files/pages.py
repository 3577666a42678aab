"""
The pages of the folder. They have no script, and need none.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from labnet.files.wire import Entry

__all__ = ["listPage", "messagePage", "readableSize", "uploadPage"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_STYLE = """
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1c2330; --faint: #5d6778;
  --line: #d9dde4; --accent: #1f5fbf; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171d; --card: #1e232c; --ink: #e7eaf0;
  --faint: #9aa5b6; --line: #333b48; --accent: #7fb0ff; --on-accent: #0d1b30; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem;
  background: var(--ground); color: var(--ink); }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
h1 { font-size: 1.4rem; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
.card { padding: 1rem 1.25rem; overflow-wrap: anywhere; }
.card, table { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
table { width: 100%; border-spacing: 0; }
th, td { padding: .5rem .9rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td { border-top: 1px solid var(--line); }
th { color: var(--faint); font-size: .875rem; }
.n { text-align: right; }
.n, time { white-space: nowrap; color: var(--faint); font-variant-numeric: tabular-nums; }
@media (max-width: 34rem) { .when { display: none; } }
label { display: block; margin: 0 0 1rem; }
input[type=file] { display: block; width: 100%; margin-top: .3rem; }
button, input { font: inherit; }
button { font-weight: 600; padding: .55rem 1rem; border-radius: .6rem; cursor: pointer;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); }
.note { color: var(--faint); font-size: .875rem; }
"""


def _page(title: str, body: str, link: str = '<a href="/">All files</a>') -> bytes:
    """A page; C{link} leads elsewhere from its top."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head>\n"
        f"<body><header><h1>{escape(title)}</h1>{link}</header>\n{body}</body></html>\n"
    ).encode("utf-8", "backslashreplace")


def listPage(entries: Sequence[Entry], more: bool, writable: bool) -> bytes:
    """The files, a page of them at a time."""
    rows = "".join(
        f'<tr><td><a href="/{quote(entry.name, safe="")}">{escape(entry.name)}</a></td>'
        f'<td class="n" title="{entry.size:,} bytes">{readableSize(entry.size)}</td>'
        f'<td class="when"><time>{entry.changed}</time></td></tr>\n'
        for entry in entries
    )
    columns = '<th>Name</th><th class="n">Size</th><th class="when">Changed (UTC)</th>'
    body = f"<table><tr>{columns}</tr>\n{rows}</table>\n"
    if not entries:
        body = '<p class="card">There are no files.</p>\n'
    if more:
        body += f'<p><a href="/?after={quote(entries[-1].name, safe="")}">More files</a></p>\n'
    return _page("Files", body, '<a href="/-/upload">Upload a file</a>' if writable else "")


def uploadPage(token: str, largest: int) -> bytes:
    """
    The form.

    @param token: shows that what is sent came from it.
    @param largest: bytes that a file may have; 0 for no limit.
    """
    limit = f'<p class="note">At most {readableSize(largest)}.</p>\n' if largest else ""
    return _page(
        "Upload a file",
        '<form class="card" method="post" action="/-/upload" enctype="multipart/form-data">\n'
        f'<input type="hidden" name="token" value="{escape(token)}">\n'
        # Its fields are sent in this order, and the file must come last.
        '<label><input type="checkbox" name="replace" value="yes"> '
        "Replace a file of the same name</label>\n"
        '<label>File <input type="file" name="file" required></label>\n'
        f"{limit}<button>Upload</button>\n</form>\n",
    )


def messagePage(title: str, sentence: str) -> bytes:
    """One sentence."""
    return _page(title, f'<p class="card">{escape(sentence)}</p>\n')


def readableSize(size: int) -> str:
    """A number of bytes for people: three digits at most, in powers of 1,024."""
    amount, power = float(size), 0
    while amount >= 999.5 and power < len(_UNITS) - 1:
        amount, power = amount / 1_024, power + 1
    digits = 1 if power and amount < 99.95 else 0
    return f"{amount:.{digits}f} {_UNITS[power]}"
