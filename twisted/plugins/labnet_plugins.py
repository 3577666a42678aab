"""
What C{twistd} and C{twist} find: one C{ServiceMaker} for each row of the catalogue.
"""

from twisted.application.service import ServiceMaker

from labnet.catalogue import CATALOGUE

globals().update(
    {
        entry.plugin.replace("-", "_"): ServiceMaker(entry.plugin, entry.tap, entry.line, entry.plugin)
        for entry in CATALOGUE
    }
)
