"""
The file server in three protocols, and its client.

See C{docs/protocols/files.md}.
"""
