"""The live page: what runs, who is connected, and what went over the wire."""
