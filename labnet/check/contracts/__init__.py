"""
The contracts, a module for each service; see L{labnet.check}.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from labnet.check.scenario import Contract

__all__ = ["contractFor", "contracts"]


def contracts() -> tuple[str, ...]:
    """The services that there is a contract for."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def contractFor(service: str) -> Contract:
    """
    The contract of a service.

    @raise KeyError: there is none.
    """
    if service not in contracts():
        raise KeyError(service)
    contract: Contract = import_module(f"{__name__}.{service}").CONTRACT
    return contract
