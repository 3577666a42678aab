"""
Greeting: who connects is greeted, and that is all.

C{docs/protocols/greeting.md} has every byte.
"""
