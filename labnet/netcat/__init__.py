"""
Netcat: standard input and output at one end, anything with a socket at the other; see
C{docs/protocols/netcat.md}.
"""
