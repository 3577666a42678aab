"""
The calculator: two operands and an operator in, the result out, in ten dialects.

C{docs/protocols/calculator.md} has every byte.
"""
