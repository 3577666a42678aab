"""
The relay: joins TCP to UDP, TCP to TCP, or UDP to UDP.

C{docs/protocols/relay.md} has every behaviour and limit.
"""
