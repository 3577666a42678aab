"""
Every server of the catalogue is taken apart, or there is a reason why not.
"""

from __future__ import annotations

from importlib import import_module

import pytest

from labnet.catalogue import CATALOGUE, Entry, Kind
from labnet.net.dissection import dissectorFor
from labnet.net.service import DatagramListener, listeners

#: The servers, or kinds of them, whose bytes mean nothing that is known here.
REASONS = {
    "netcat": "it takes any bytes from standard input, and shows any bytes",
}

everyServer = pytest.mark.parametrize(
    "entry",
    [entry for entry in CATALOGUE if entry.kind is Kind.SERVER and entry.name not in REASONS],
    ids=lambda entry: entry.name,
)


@everyServer
def test_everyListenerHasADissector(entry: Entry) -> None:
    """With its default options, each place where a server listens is one whose conversations are known."""
    tap = import_module(entry.tap)
    options = tap.Options()
    options.parseOptions([])
    found = listeners(tap.makeService(options))
    assert found
    for listener in found:
        transport = "udp" if isinstance(listener, DatagramListener) else "tcp"
        assert dissectorFor(entry.name, listener.detail, transport) is not None, listener.detail


def test_nothingHasAReasonAndADissector() -> None:
    named = {entry.name for entry in CATALOGUE if entry.kind is Kind.SERVER and not entry.dissection}
    assert named == set(REASONS)
