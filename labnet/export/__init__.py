"""
What was recorded, as a file for Wireshark: from the dashboard of a lab that runs, or from a trace's file.

C{docs/export.md} says what is in it.
"""
