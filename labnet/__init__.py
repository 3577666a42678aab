"""
labnet: the programs of a socket course as one Twisted application.

Every server and client is a C{Protocol} and a C{Factory} that can be imported on its own
(L{labnet.calculator}, L{labnet.discovery}, L{labnet.relay}, L{labnet.proxy}), a C{twistd} plugin,
and a row of L{labnet.catalogue}.
"""

__all__: list[str] = []
