"""
The filtering HTTP proxy: a server protocol that drives a client protocol to the origin.

C{docs/protocols/http-proxy.md} has every byte and every decision.
"""
