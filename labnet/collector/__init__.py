"""
The collector: reads to the end of the stream, and keeps the pieces as they arrived.

C{docs/protocols/collector.md} has every limit.
"""
