"""
The classic mistakes of programs with sockets, shown on this machine: measured, with what went over the
wire, and with the cure.
"""
