"""
Names: every way there is to turn host names into addresses and back, services into ports, and text into
bytes.
"""
