"""
Strategies for U{Hypothesis<https://hypothesis.readthedocs.io/>}, which must be installed for this module.
"""

from __future__ import annotations

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "labnet.testing.strategies needs Hypothesis: pip install hypothesis", name=error.name
    ) from error

from labnet.testing.segmentation import cutAt

__all__ = ["segmented"]


@st.composite
def segmented(draw: st.DrawFn, data: bytes, mostCuts: int = 12) -> list[bytes]:
    """
    C{data} cut at any number of places, up to C{mostCuts}. What fails shrinks to few cuts, early ones.

    For data that are drawn themselves: C{data.draw(segmented(stream))} with C{st.data()}.
    """
    if len(data) < 2:
        return cutAt(data, ())
    return cutAt(data, draw(st.sets(st.integers(1, len(data) - 1), max_size=mostCuts)))
