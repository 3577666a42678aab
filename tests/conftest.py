"""
What every test is given. What every test is held to is in L{labnet.testing.plugin}.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from twisted.internet.testing import MemoryReactorClock

from labnet.net import options

#: Named here, too, for environments into which labnet was installed before it was a plugin of pytest.
pytest_plugins = ["pytester", "labnet.testing.plugin"]

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the proxy's endurance test is, and how often the examiner's programs are examined."""
    parser.addoption(
        "--soak", type=int, default=16_000, metavar="N", help="requests of the proxy's endurance test"
    )
    parser.addoption(
        "--check-repeat",
        type=int,
        default=1,
        metavar="N",
        help="times that the examiner's programs are examined",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """
    Two processes share the whole suite, a file at a time; C{-n 0} is one. Where tests are named it is one,
    too, for it begins at once, and can be stopped and looked into.
    """
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    watched = option.usepdb or option.collectonly or option.capture == "no"
    if (
        whole
        and not watched
        and not hasattr(config, "workerinput")
        and config.pluginmanager.hasplugin("xdist")
        and option.numprocesses is None
    ):
        option.numprocesses, option.dist = 2, "loadfile"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """What gzip compresses has the time in it: two processes would not agree on the names of the tests."""
    return f"{argname} with gzip" if isinstance(val, bytes) and b"\x1f\x8b\x08" in val else None


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryReactorClock:
    """A reactor in memory in place of the real one, wherever options look for it."""
    memory = MemoryReactorClock()
    monkeypatch.setattr(options, "globalReactor", lambda: memory)
    return memory
