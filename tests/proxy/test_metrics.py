"""
Figures: counted, summed over processes, and shown to Prometheus.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from labnet.net.exposition import processFigures
from labnet.net.figures import figuresOf, page
from labnet.net.metrics import Distribution
from labnet.net.service import StreamListener
from labnet.proxy.exposition import FAMILIES, TIMES, exposition
from labnet.proxy.inspection import Finding
from labnet.proxy.journal import Decision, Journals
from labnet.proxy.metrics import BadSnapshot, Counts, Snapshot, total
from labnet.proxy.rules import Rule
from tests.documents import ROOT
from tests.proxy.records import FOUND, asked, record
from tests.proxy.world import GET, MakeWorld, ok

SNAPSHOTS = st.builds(
    lambda families, counts, whole, started: Snapshot(
        1, 0, families, {"whole": Distribution((0.5, 1.0), counts, whole)}, started
    ),
    st.dictionaries(
        st.sampled_from(["requests", "blocked"]),
        st.dictionaries(st.text(max_size=5), st.integers(0, 2**40).map(float), max_size=3),
    ),
    st.lists(st.integers(0, 2**40), min_size=3, max_size=3),
    st.integers(0, 2**40).map(float),
    st.integers(0, 2**31).map(float),
)


def shown(snapshot: Snapshot) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The page as Prometheus reads it: values by name and labels."""
    _, page = exposition(snapshot, "")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode("utf-8"))
        for sample in family.samples
    }


@given(SNAPSHOTS)
def test_aSnapshotTravels(snapshot: Snapshot) -> None:
    assert Snapshot.decode(snapshot.encode()) == snapshot


@given(SNAPSHOTS, SNAPSHOTS, SNAPSHOTS)
def test_snapshotsAddUp(one: Snapshot, two: Snapshot, three: Snapshot) -> None:
    """In whatever order, and the parts are left as they were."""
    before = one.encode()
    assert total([one, two, three]) == total([three, two, one]) == one.add(two.add(three))
    assert one.encode() == before


@given(st.binary(max_size=200) | st.just(b'[1,0,{},{"a":[[1],[1],1]},0]') | st.just(b"[]"))
def test_whatIsNoSnapshot(data: bytes) -> None:
    with pytest.raises(BadSnapshot):
        Snapshot.decode(data)


def test_whatPrometheusReads() -> None:
    counts = Counts()
    counts.ended(record())
    counts.ended(record(status=404, decision=Decision.BLOCKED, finding=FOUND))
    counts.ended(
        record(asked(b"CONNECT"), firstByte=None, inspection=None, decision=Decision.NOT_INSPECTED)
    )
    counts.ended(record(status=502, decision=Decision.REFUSED))
    counts.ended(record(status=502, decision=Decision.UNINSPECTABLE))
    counts.ended(record()._replace(request=None, status=400, decision=Decision.REFUSED))
    page = shown(counts.snapshot({"spooled": {"": 7.0}}, 5.0))
    for method, status, number in (("GET", 200, 1), ("GET", 404, 1), ("CONNECT", 200, 1), ("none", 400, 1)):
        assert page["labnet_proxy_requests_total", (("method", method), ("status", str(status)))] == number
    assert page["labnet_proxy_decisions_total", (("decision", "passed"),)] == 1
    assert page["labnet_proxy_blocked_total", (("rule", "SzamHalo"),)] == 1
    assert page["labnet_proxy_refused_total", (("reason", "bad origin"),)] == 1
    assert page["labnet_proxy_refused_total", (("reason", "uninspectable"),)] == 1
    assert page["labnet_proxy_refused_total", (("reason", "malformed"),)] == 1
    assert page["labnet_proxy_tunnels_total", ()] == 1
    assert page["labnet_proxy_spool_bytes", ()] == 7
    assert page["labnet_proxy_request_seconds_count", ()] == 5
    assert page["labnet_proxy_first_byte_seconds_bucket", (("le", "0.01"),)] == 0
    assert page["labnet_proxy_first_byte_seconds_bucket", (("le", "0.025"),)] == 5
    assert page["labnet_proxy_first_byte_seconds_sum", ()] == pytest.approx(5 * 0.0125)
    assert page["process_start_time_seconds", ()] == 5


def test_labelsAreBounded() -> None:
    """Whatever methods, statuses and rules there are, the page stays small."""
    counts = Counts()
    for number in range(1_000):
        finding = Finding(Rule(b"rule %d" % number), "body", 0)
        blocked = {"decision": Decision.BLOCKED, "finding": finding, "status": number}
        counts.ended(record(asked(b"M%d" % number), **blocked))
    page = shown(counts.snapshot({}, 0.0))
    rules = {
        labels[0][1]: value
        for (name, labels), value in page.items()
        if name == "labnet_proxy_blocked_total"
    }
    assert len(rules) == 101
    assert rules["other"] == 900
    methods = {labels[0][1] for name, labels in page if name == "labnet_proxy_requests_total"}
    assert methods == {"other"}


def test_aRuleWithQuotesAndLines() -> None:
    counts = Counts()
    rule = 'a "rule"\\ of\ntwo lines'
    finding = Finding(Rule(rule.encode()), "body", 0)
    counts.ended(record(decision=Decision.BLOCKED, finding=finding))
    assert shown(counts.snapshot({}, 0.0))["labnet_proxy_blocked_total", (("rule", rule),)] == 1


def test_theProcess() -> None:
    figures = processFigures()
    assert figures["process_resident_memory_bytes"] > 1_000_000
    page = shown(Snapshot(2, 1, {"process": figures}, {}, 1.0))
    assert page["process_open_fds", ()] == figures["process_open_fds"]
    assert page["labnet_proxy_processes", ()] == 2
    assert page["labnet_proxy_processes_silent", ()] == 1


def test_theDocumentsNameEveryFigure() -> None:
    table = ROOT.joinpath("docs", "proxy-operations.md").read_text("utf-8")
    names = [f"labnet_proxy_{shown}" + ("_total" if grows else "") for _, shown, grows, _, _ in FAMILIES]
    names += [f"labnet_proxy_{shown}" for _, shown, _ in TIMES]
    for name in names:
        assert f"| `{name}` |" in table


def test_whatAListenerOfTheProxyHas(makeWorld: MakeWorld) -> None:
    """Its own figures beside those of every service; exchanges are counted since the first question."""
    world = makeWorld()
    assert not isinstance(world.factory.journal, Journals)
    listener = StreamListener("proxy", None, world.factory, "forward")  # type: ignore[arg-type]
    figuresOf([listener])
    world.exchange(GET, ok(b"SzamHalo"))
    for _ in range(2):
        found = {family.shown: family for family in figuresOf([listener])}
    where = ("proxy", "forward", "")
    assert found["labnet_connections_total"].values == {where: 1}
    assert found["labnet_proxy_requests_total"].values == {(*where, "GET", "404"): 1}
    assert found["labnet_proxy_blocked_total"].labels == ("service", "detail", "address", "rule")
    assert found["labnet_proxy_blocked_total"].values == {(*where, "SzamHalo"): 1}
    assert found["labnet_proxy_origin_connections_total"].values[*where, "new"] == 1
    whole = found["labnet_proxy_request_seconds"].values[where]
    assert isinstance(whole, Distribution)
    assert sum(whole.counts) == 1
    _, text = page([listener], "")
    labels = 'address="",detail="forward",method="GET",service="proxy",status="404"'
    assert f"labnet_proxy_requests_total{{{labels}}} 1.0" in text.decode("utf-8")
