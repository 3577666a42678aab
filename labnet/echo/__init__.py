"""
Echo: what a client says comes back, in one of five styles, over TCP and UDP.

C{docs/protocols/echo.md} has every byte.
"""
