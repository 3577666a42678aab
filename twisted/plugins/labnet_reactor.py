"""
C{twistd --reactor labnet}.
"""

from twisted.application.reactors import Reactor

labnet = Reactor("labnet", "labnet.net.reactor", "epoll with a shorter way to the descriptors.")
