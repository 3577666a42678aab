"""
Our own servers and clients, and curl where it is installed, which have to pass their contracts as well.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace

from labnet.calculator.wire import PROFILES
from labnet.chat.wire import DIALECTS
from labnet.classic.tap import FACTORIES
from tests.check.programs import Case

_LABNET = (sys.executable, "-m", "labnet")


def _server(service: str, transport: str, variant: str = "", *options: str) -> Case:
    return Case(service, "our_server", "", "server", variant, transport, (), options)


def _client(service: str, transport: str, variant: str, *arguments: str) -> Case:
    """In the arguments, C{{where}} is the endpoint."""
    where = f"{transport}:{{host}}:{{port}}"
    command = (*_LABNET, service, *(word.replace("{where}", where) for word in arguments))
    return Case(service, "our_client", "", "client", variant, transport, command)


def _browsers(service: str, variant: str, ours: tuple[str, ...], curls: tuple[str, ...]) -> list[Case]:
    """C{labnet get}, and curl."""
    cases = [Case(service, "our_client", "", "client", variant, "tcp", (*_LABNET, "get", *ours))]
    if shutil.which("curl"):
        command = ("curl", "-sS", *curls)
        cases.append(Case(service, "curl", "", "client", variant, "tcp", command))
    return cases


_HERE, _THERE = "http://{host}:{port}/", "http://example.org/page"
_CALCULATION = ("-t", "4", "12", "+", "34")

OURS = [
    *(_server("calculator", transport, profile) for profile in PROFILES for transport in ("tcp", "udp")),
    _client("calculator", "tcp", "struct9", "-c", "{where}", "-p", "struct9", *_CALCULATION),
    _client("calculator", "udp", "struct9", "-c", "{where}", "-p", "struct9", *_CALCULATION),
    *(_server("echo", "tcp", style) for style in ("prefix", "upper", "ack", "raw", "framed")),
    *(_server("echo", "udp", style) for style in ("prefix", "upper", "ack", "raw")),
    _client("echo", "tcp", "prefix", "-c", "{where}", "-t", "1", "--pause", "0.5", "hello", "there"),
    _client("echo", "udp", "upper", "-c", "{where}", "-t", "1", "hello", "there"),
    *(_server("discovery", "udp", variant) for variant in ("a", "b", "lines")),
    _client("discovery", "udp", "b", "--ask", "{where}", "--form", "B"),
    _client("discovery", "udp", "lines", "--ask", "{where}", "--lookup", "chat"),
    _server("greeting", "tcp"),
    _client("greeting", "tcp", "", "-c", "{where}"),
    _server("collector", "tcp"),
    _client("collector", "tcp", "", "-c", "{where}", "one", "two", "three"),
    _server("relay", "tcp", "requests", "--to", "udp:{origin}"),
    _server("relay", "tcp", "stream", "--to", "tcp:{origin}"),
    _server("relay", "udp", "datagrams", "--to", "udp:{origin}"),
    *(_server("chat", "tcp", framing) for framing in DIALECTS),
    _server("netcopy", "tcp", "", "--checksums", "tcp:{origin}"),
    _client("netcopy", "tcp", "", "README.md", "-c", "{where}", "--checksums", "{where}", "-t", "3"),
    _server("checksum", "tcp"),
    *(_server("classic", "tcp", service) for service in FACTORIES),
    replace(_client("greeting", "tcp", "daytime", "-c", "{where}"), service="classic"),
    _server("guess", "tcp"),
    _client("guess", "tcp", "", "-c", "{where}", "-t", "2"),
    _server("files", "tcp", "course", "--folder", "{folder}"),
    _server("files", "tcp", "framed", "--folder", "{folder}"),
    _client("files", "tcp", "framed", "get", "x", "-c", "{where}", "-t", "2", "-o", "{folder}/x"),
    _client("chat", "tcp", "framed", "-c", "{where}", "-f", "framed", "-r", "0"),
    _server("web", "tcp"),
    *_browsers("web", "", (_HERE,), (_HERE,)),
    _server("proxy", "tcp", "fixed", "--target", "{origin}"),
    _server("proxy", "tcp", "forward"),
    *_browsers("proxy", "fixed", (_HERE,), (_HERE,)),
    *_browsers("proxy", "forward", ("-x", _HERE, _THERE), ("-x", _HERE, _THERE)),
]
