"""
Connections in memory, under the names that tests have for them.
"""

from labnet.testing import SlowTransport, TCPTransport, connectionDone, connectionReset, hangUp, lingered

__all__ = ["SlowTransport", "TCPTransport", "done", "hangUp", "lingered", "reset"]

done, reset = connectionDone, connectionReset
