"""
C{python -m labnet} is the C{labnet} command.
"""

from labnet.cli import main

main()
