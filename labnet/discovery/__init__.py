"""
The UDP address server: tells clients where a service is, and lets services say so themselves.

C{docs/protocols/discovery.md} has every byte.
"""
