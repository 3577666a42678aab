"""
The contracts, a module for each service; see C{docs/check-contracts.md}.
"""
