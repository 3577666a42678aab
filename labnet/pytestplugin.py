"""
What labnet is to pytest, wherever both are installed: an option, and nothing else until somebody sets it.

This module is loaded by every pytest of an environment that labnet is installed in, also for projects that
have nothing to do with it. So it imports neither Twisted nor the rest of labnet, and has no fixtures. With
C{labnet_strict = true} in the project's configuration it loads L{labnet.testing.plugin}, which has them.
"""

from __future__ import annotations

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

PLUGIN = "labnet.testing.plugin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option C{labnet_strict} of C{pytest.ini}, C{pyproject.toml} and the like."""
    parser.addini(
        "labnet_strict",
        "labnet: a test that leaves timers, or failures unhandled or only logged, is an error",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures and the checks, if they are asked for."""
    if config.getini("labnet_strict"):
        config.pluginmanager.import_plugin(PLUGIN)
