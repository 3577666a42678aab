"""
The port scanner: which TCP ports of a machine of one's own answer, and what speaks there.

It is a client only. There is no server through which somebody else could have a machine scanned.
"""
