"""
The small services of old: discard, chargen, daytime, time and qotd, over TCP.

C{docs/protocols/classic.md} has every byte.
"""
