"""
The command line of the look-ups.
"""

from __future__ import annotations

import pytest
from twisted.python.usage import UsageError

from labnet.names.clienttap import Options, makeService
from labnet.net.service import ClientService


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def test_hostAndService() -> None:
    options = parsed("localhost", "http", "--json")
    assert (options.host, options["service"], options["json"]) == ("localhost", "http", 1)
    assert parsed("[::1]").host == "::1"
    assert parsed("127.1").host == "127.1"
    assert parsed("--bytes", "7f:00:00:01").data == b"\x7f\0\0\1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a b",), "neither a name nor an address"),
        (("",), "neither a name nor an address"),
        (("a..b",), "neither a name nor an address"),
        (("\x1b[2J",), "neither a name nor an address"),
        (("x" * 300,), "neither a name nor an address"),
        (("--service", "0"), "ports go from 1 to 65535"),
        (("--service", "65536"), "ports go from 1 to 65535"),
        (("--service", ""), "neither the name of a service nor a port"),
        (("--service", "a\nb"), "neither the name of a service nor a port"),
        (("x", "http", "--service", "http"), "use one of them"),
        (("--bytes", "7f"), "1 bytes are no address"),
        (("--bytes", "zz"), "not hexadecimal"),
        (("--family", "5"), "none of both, 4, 6"),
        (("--timeout", "0"), "not a number"),
        (("x", "y", "z"), "Wrong number of arguments"),
    ],
)
def test_mistakesAreOneLine(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        parsed(*arguments)
    assert "\n" not in str(caught.value)


def test_asAPlugin() -> None:
    assert isinstance(makeService(parsed()), ClientService)
