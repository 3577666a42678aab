"""
Connections in memory, under the names that tests have for them.
"""

from labnet.testing import SlowTransport, TCPTransport, doneReason, hangUp, lingered, resetReason

__all__ = ["SlowTransport", "TCPTransport", "done", "hangUp", "lingered", "reset"]

done, reset = doneReason, resetReason
