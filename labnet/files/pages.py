"""
The pages of the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from labnet.files.wire import Entry

__all__ = ["listPage", "messagePage", "uploadPage"]

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th{text-align:left}"
    "td,th{padding:.2rem .5rem;border-bottom:1px solid #ddd}.n{text-align:right;white-space:nowrap}"
)


def _page(title: str, body: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    ).encode("utf-8", "backslashreplace")


def listPage(entries: Sequence[Entry], more: bool, writable: bool) -> bytes:
    """The files, a page of them at a time."""
    rows = "".join(
        f'<tr><td><a href="/{quote(entry.name, safe="")}">{escape(entry.name)}</a></td>'
        f'<td class="n">{entry.size:,}</td></tr>\n'
        for entry in entries
    )
    table = f'<table><tr><th>name</th><th class="n">bytes</th></tr>\n{rows}</table>\n'
    body = table if entries else "<p>There are no files.</p>\n"
    if more:
        body += f'<p><a href="/?after={quote(entries[-1].name, safe="")}">more</a></p>\n'
    if writable:
        body += '<p><a href="/-/upload">upload a file</a></p>\n'
    return _page("Files", body)


def uploadPage(token: str) -> bytes:
    """The form; C{token} shows that what is sent came from it."""
    return _page(
        "Upload a file",
        '<form method="post" action="/-/upload" enctype="multipart/form-data">\n'
        f'<input type="hidden" name="token" value="{escape(token)}">\n'
        # Its fields are sent in this order, and the file must come last.
        '<p><label><input type="checkbox" name="replace" value="yes"> '
        "replace a file of the same name</label></p>\n"
        '<p><label>File <input type="file" name="file" required></label></p>\n'
        '<p><button>Upload</button> <a href="/">back to the files</a></p>\n</form>\n',
    )


def messagePage(title: str, sentence: str) -> bytes:
    """One sentence."""
    return _page(title, f'<p>{escape(sentence)}</p>\n<p><a href="/">to the files</a></p>\n')
