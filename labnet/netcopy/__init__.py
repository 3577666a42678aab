"""
Netcopy: a file over a bare stream, and its checksum over another way, by a checksum server.

C{docs/protocols/netcopy.md} has every byte.
"""
