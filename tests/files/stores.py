"""
A folder in a test: read from, written to, and refusing.
"""

from __future__ import annotations

import os

import pytest

from labnet.files.refusal import Refusal
from labnet.files.store import Incoming, Store


def read(store: Store, name: str | bytes) -> bytes:
    stored = store.open(name)
    try:
        return os.pread(stored.descriptor, stored.size + 1, 0)
    finally:
        stored.close()


def refusal(call: object, *arguments: object, **options: object) -> Refusal:
    """What a call is refused with; no path is in it."""
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments, **options)
    assert "/" not in str(caught.value)
    return caught.value


def upload(store: Store, name: str, data: bytes, *, replace: bool = False) -> Incoming:
    """A whole upload, from its announcement to its end."""
    incoming = store.begin(name, len(data), replace=replace)
    try:
        incoming.write(data)
        incoming.sync()
        incoming.publish()
        incoming.syncFolder()
    finally:
        incoming.close()
    return incoming


def fill(incoming: Incoming, data: bytes) -> None:
    """All of an upload, up to its name."""
    incoming.write(data)
    incoming.sync()
