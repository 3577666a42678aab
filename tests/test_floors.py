"""
The four floors: imports go down only.

Every module of labnet stands on exactly one floor, named here by what the module is called. A module
whose name is not here yet has to be put on one.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from pathlib import Path

import pytest

import labnet

ROOT = Path(labnet.__file__).parent


class Floor(IntEnum):
    """From the ground up. A module imports from its own floor and from those below."""

    PURE = 1
    NET = 2
    CONNECTED = 3
    TAP = 4
    TOP = 5


#: Bytes in, messages out: no reactor, no clock, no socket.
PURE = {
    "accessformat",
    "arithmetic",
    "body",
    "capture",
    "calculations",
    "catalogue",
    "certificates",
    "charsets",
    "checksumdissection",
    "codings",
    "config",
    "contents",
    "contractfile",
    "dampening",
    "datagramimpairment",
    "decoding",
    "delivery",
    "demonstration",
    "dissection",
    "display",
    "events",
    "evidence",
    "exchanges",
    "expectation",
    "expressions",
    "faultline",
    "faults",
    "forwarding",
    "framing",
    "framings",
    "gradescope",
    "hosts",
    "htmlreport",
    "hypertext",
    "impairment",
    "inputline",
    "inspection",
    "journal",
    "ladder",
    "jsonreport",
    "junit",
    "jsonmembers",
    "limits",
    "metrics",
    "mirrors",
    "mistakes",
    "naming",
    "networks",
    "noticing",
    "objects",
    "pac",
    "pace",
    "packets",
    "pages",
    "passwords",
    "pcapng",
    "policy",
    "presentation",
    "ports",
    "pump",
    "rates",
    "reading",
    "redaction",
    "refusal",
    "registry",
    "replay",
    "replies",
    "requests",
    "response",
    "room",
    "rules",
    "rulesfile",
    "saving",
    "scenario",
    "scenarios",
    "searchtime",
    "selection",
    "score",
    "spool",
    "store",
    "target",
    "textreport",
    "timing",
    "tls",
    "trace",
    "tracefile",
    "trust",
    "utf8",
    "verdict",
    "wants",
    "wire",
}
#: Protocols and factories, and what they are made of. The reactor, the clock and the limits are given.
CONNECTED = {
    "access",
    "accesslog",
    "account",
    "addition",
    "admin",
    "answering",
    "blocking",
    "checksumserver",
    "client",
    "clientside",
    "collection",
    "connection",
    "contexts",
    "datagrams",
    "digests",
    "examination",
    "exchange",
    "export",
    "exposition",
    "factory",
    "filerace",
    "fastpath",
    "figures",
    "gathering",
    "host",
    "glued",
    "identify",
    "interception",
    "keeper",
    "lookups",
    "measuring",
    "messages",
    "onerecv",
    "operations",
    "origin",
    "outbound",
    "output",
    "panels",
    "program",
    "proxying",
    "reloading",
    "report",
    "route",
    "scene",
    "screen",
    "secure",
    "sender",
    "server",
    "session",
    "stage",
    "survey",
    "unread",
    "splitcharacter",
    "splitword",
    "udploop",
    "tunnelling",
    "upload",
    "upstream",
    "viewers",
    "web",
}
TAPS = {
    "accessoptions", "checksumtap", "clienttap", "journaloptions", "ruleoptions", "tap", "workeroptions",
}  # fmt: skip
TOP = {"__main__", "cli", "pytestplugin"}

#: What reads a clock, opens a socket or runs something else: nothing of the kind on the pure floor.
IMPURE = {
    "asyncio", "concurrent", "multiprocessing", "requests", "select", "selectors", "signal", "socket",
    "socketserver", "ssl", "subprocess", "threading", "time", "twisted.internet",
}  # fmt: skip
#: The one exception: the timer that ends a search which would not end. What is found does not depend on it.
EXCEPTED = {"labnet.proxy.searchtime": {"signal", "threading", "time"}}


def modules() -> list[str]:
    """Every module of labnet except the packages' own, which hold a docstring."""
    return sorted(
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
    )


def floorOf(module: str) -> Floor | None:
    """The floor a module belongs to, or L{None} for one that nobody has put anywhere."""
    _, *rooms, name = module.split(".")
    if name in PURE:
        return Floor.PURE
    if rooms[:1] == ["net"]:
        return Floor.NET
    if rooms[:1] == ["testing"]:
        return Floor.CONNECTED
    if rooms == ["check", "contracts"]:
        return Floor.CONNECTED
    if rooms[:1] == ["lab"] or (name in TOP and not rooms):
        return Floor.TOP
    if name in TAPS:
        return Floor.TAP
    return Floor.CONNECTED if name in CONNECTED else None


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(ROOT.parent.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8"))


def imports(module: str) -> Iterator[str]:
    """What a module imports, wherever in it, as dotted names; C{from a import b} is C{a.b}."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: write imports in full, not relative to the package"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(module: str) -> Iterator[str]:
    """The modules of labnet that a module imports."""
    known = set(modules())
    for name in imports(module):
        if name in known:
            yield name
        elif name.rpartition(".")[0] in known:
            yield name.rpartition(".")[0]
        else:
            assert not name.startswith("labnet."), f"{module} imports {name}, which does not exist"


@pytest.mark.parametrize("module", modules())
def test_everyModuleStandsOnAFloor(module: str) -> None:
    assert floorOf(module) is not None, (
        f"{module} belongs to no floor. If it takes bytes and returns messages, without a reactor, a clock "
        "or a socket, add its name to PURE in tests/test_floors.py; if it is a protocol, a factory or a "
        "part of one, add it to CONNECTED; options and makeService belong into tap.py or clienttap.py."
    )


@pytest.mark.parametrize("module", modules())
def test_importsGoDownOnly(module: str) -> None:
    floor = floorOf(module) or Floor.TOP
    above = [name for name in ours(module) if (floorOf(name) or Floor.PURE) > floor]
    assert not above, f"{module} is on floor {floor.name} and imports from above: {', '.join(above)}"


@pytest.mark.parametrize("module", [name for name in modules() if floorOf(name) is Floor.PURE])
def test_pureModulesTouchNothing(module: str) -> None:
    """Neither Twisted's reactor, nor a clock, nor a socket is imported on the pure floor."""
    impure = [
        name
        for name in imports(module)
        if name.partition(".")[0] not in EXCEPTED.get(module, ())
        and any(name == forbidden or name.startswith(forbidden + ".") for forbidden in IMPURE)
    ]
    assert not impure, f"{module} is on the pure floor and imports {', '.join(impure)}"


def test_pureModulesLoadWithoutTwistedsReactor() -> None:
    """The same seen from outside: loading all of them loads nothing of C{twisted.internet}."""
    pure = [name for name in modules() if floorOf(name) is Floor.PURE]
    program = f"import sys, {', '.join(pure)}\nsys.exit('twisted.internet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("labnet.net.")])
def test_theGroundFloorKnowsNoRoom(module: str) -> None:
    rooms = [
        name for name in ours(module) if not name.startswith("labnet.net.") and name != "labnet.catalogue"
    ]
    assert not rooms, f"{module} imports {', '.join(rooms)}; net stands below every room"


@pytest.mark.parametrize("module", modules())
def test_theReactorIsGiven(module: str) -> None:
    """Only one function of C{net.options}, for the taps, and C{task.react} take the global reactor."""
    if module != "labnet.net.options":
        assert "twisted.internet.reactor" not in imports(module), f"{module} imports the global reactor"


@pytest.mark.parametrize("module", [name for name in modules() if name != "labnet.cli"])
def test_onlyTheCommandLinePrints(module: str) -> None:
    prints = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints, f"{module} prints in line {prints}; log it, or give it to the caller"
