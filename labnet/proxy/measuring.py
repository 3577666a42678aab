"""
How long it takes to look at a body.
"""

from __future__ import annotations

from time import perf_counter

from labnet.proxy.inspection import Finding, Inspector

__all__ = ["MeasuredInspector"]


class MeasuredInspector(Inspector):
    """
    An L{Inspector} that knows how long it has taken.

    @ivar seconds: so far.
    """

    seconds = 0.0

    def feed(self, data: bytes) -> Finding | None:
        began = perf_counter()
        try:
            return super().feed(data)
        finally:
            self.seconds += perf_counter() - began

    def rest(self) -> Finding | None:
        # Expressions are searched for here when the content is short.
        began = perf_counter()
        try:
            return super().rest()
        finally:
            self.seconds += perf_counter() - began
