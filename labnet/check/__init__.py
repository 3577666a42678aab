"""
The examiner: runs the contract of a service against anyone's server or client.

How a contract is written is in C{docs/check-contracts.md}.
"""
