"""
A network of datagrams in memory.
"""

from labnet.testing import Datagram, DatagramNetwork, MemorySocket, Peer
from labnet.testing.datagrams import Address

__all__ = ["Address", "Datagram", "DatagramNetwork", "MemorySocket", "Peer"]
