"""
The chat as a plugin: its options, and the services they make.
"""

from __future__ import annotations

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet.chat import tap
from labnet.chat.server import ChatFactory, ChatLimits
from labnet.chat.web import PageFactory
from labnet.chat.wire import FRAMED, LINE, PLAIN, PLAIN_EXTRAS
from labnet.net.limits import Limits
from labnet.net.service import StreamListener, listeners


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_withoutOptionsItListensOnTheDefaults(memory: MemoryReactorClock) -> None:
    """Four ways into one room, on the loopback interface."""
    service = tap.makeService(parsed())
    service.privilegedStartService()
    service.startService()
    assert [(port, interface) for port, _, _, interface in memory.tcpServers] == [
        (9999, "127.0.0.1"), (9998, "127.0.0.1"), (9997, "127.0.0.1"), (9996, "127.0.0.1"),
    ]  # fmt: skip
    plain, line, framed, web = (factory for _, factory, _, _ in memory.tcpServers)
    assert (plain.dialect, line.dialect, framed.dialect) == (PLAIN, LINE, FRAMED)
    assert isinstance(web, PageFactory)
    assert plain.live is line.live is framed.live is web.page.live
    assert plain.live.limits == ChatLimits()
    assert plain.limits == Limits(idleTimeout=0)
    assert plain.sockets.patience == web.sockets.patience == 90
    assert [listener.detail for listener in listeners(service)] == ["plain", "line", "framed", "web"]
    service.stopService()


def test_everyOptionReachesItsPlace(memory: MemoryReactorClock) -> None:
    service = tap.makeService(
        parsed(
            "--listen", "tcp:1", "--listen", "web=tcp:2", "--plain-extras", "--history", "7",
            "--max-members", "8",
            "--max-message", "100", "--message-rate", "3", "--message-burst", "4", "--join-rate", "5",
            "--max-backlog", "1000", "--stall-timeout", "6", "--name-timeout", "9", "--ghost-timeout", "10",
            "--web-host", "chat.example", "--max-connections", "11",
        )
    )  # fmt: skip
    plain, web = listeners(service)
    assert isinstance(plain, StreamListener)
    assert isinstance(web, StreamListener)
    factory = plain.factory
    assert isinstance(factory, ChatFactory)
    assert factory.dialect is PLAIN_EXTRAS
    assert factory.live.limits == ChatLimits(
        longest=100, rate=3.0, burst=4, joins=5.0, backlog=1000, stall=6.0, naming=9.0
    )
    assert factory.limits.maxConnections == 11
    assert factory.sockets.patience == 10
    room = factory.live.room
    assert (room._mostMembers, room._longestHistory, room._mostHistoryBytes) == (8, 7, 250)
    assert isinstance(web.factory, PageFactory)
    assert b"chat.example" in web.factory.page._hosts


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "udp:9999"], "--listen: 'udp:9999': the chat has streams only"),
        (["--listen", "line=udp:9999"], "the chat has streams only"),
        (["--listen", "irc=tcp:9999"], "'irc' is none of plain, line, framed, web"),
        (["--history", "-1"], "--history: '-1' is not a whole number from 0 to 10000"),
        (["--max-members", "0"], "--max-members: '0' is not a whole number at least 1"),
        (["--max-message", "100000"], "--max-message: '100000' is not a whole number from 1 to 65536"),
        (["--message-rate", "fast"], "--message-rate: 'fast' is not a number"),
        (["--message-burst", "0"], "--message-burst: '0' is not a whole number at least 1"),
        (["--web-host", "a b"], "--web-host: 'a b' is not the name of a host"),
        (["--web-host", "a:80"], "--web-host: 'a:80' is not the name of a host"),
        (["hello"], "Wrong number of arguments."),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
