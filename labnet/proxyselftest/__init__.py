"""
Finds out what gets through a filtering proxy, anybody's: an origin that tries every way around one, a
client that reads what comes of it as a browser would, and a judge. See C{docs/selftest.md}.
"""
