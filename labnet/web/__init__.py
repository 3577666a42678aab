"""
Hello web: the page of the course, the request as it came, and answers that are broken on purpose.

C{docs/protocols/web.md} has every byte.
"""
