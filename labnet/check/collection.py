"""
Which contracts there are: the modules of C{labnet.check.contracts}, by their names.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from labnet.check.scenario import Contract

__all__ = ["contractFor", "contracts"]

_PACKAGE = "labnet.check.contracts"


def contracts() -> tuple[str, ...]:
    """The services that there is a contract for."""
    return tuple(sorted(module.name for module in iter_modules(import_module(_PACKAGE).__path__)))


def contractFor(service: str) -> Contract:
    """
    The contract of a service.

    @raise KeyError: there is none.
    """
    if service not in contracts():
        raise KeyError(service)
    contract: Contract = import_module(f"{_PACKAGE}.{service}").CONTRACT
    return contract
