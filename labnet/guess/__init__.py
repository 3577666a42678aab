"""
Guess a number, the course's barkoba: several players, one number, and the first who names it wins.

C{docs/protocols/guess.md} has every byte.
"""
