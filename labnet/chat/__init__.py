"""
The chat: one room for plain sockets, lines, length-prefixed messages and browsers.

What goes over the wire is in C{docs/protocols/chat.md}.
"""
