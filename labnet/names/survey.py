"""
Everything the look-up functions say about one thing, each call timed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from twisted.python.failure import Failure

from labnet.names.blocking import ThreadReactor
from labnet.names.client import (
    Endpoint,
    Family,
    HostEntry,
    NotAnAddress,
    addresses,
    addressToBytes,
    bytesToAddress,
    courseAddressToBytes,
    fullName,
    hostByAddress,
    hostByName,
    hostName,
    nameInfo,
    networkOrder,
    serviceByName,
    serviceByPort,
)
from labnet.names.report import Answer, Group
from labnet.net.logs import shown
from labnet.net.outcome import ExitStatus, explain

__all__ = ["MOST_REVERSE", "Survey"]

_Result = TypeVar("_Result")

#: Addresses of one host whose names are looked up.
MOST_REVERSE = 8

#: The longest name that is shown whole.
_LONGEST = 255


class Survey:
    """
    Asks, one question after another, and keeps the answers.

    @param family: addresses of this family only; L{None} for both.
    @param timeout: seconds for each question.
    @ivar answers: what was asked so far.
    """

    def __init__(self, reactor: ThreadReactor, family: Family | None = None, timeout: float = 5.0) -> None:
        self._reactor = reactor
        self._family = family
        self._timeout = timeout
        self.answers: list[Answer] = []

    async def thisHost(self) -> str:
        """How this machine calls itself."""
        name = hostName()
        await self._ask(Group.SELF, "gethostname", "", _ready(lambda: name), _text)
        full = fullName(self._reactor, timeout=self._timeout)
        await self._ask(Group.SELF, "getfqdn", "", lambda: full, _text)
        return name

    async def host(self, host: str, service: str | None = None) -> None:
        """
        A host's addresses in the order in which a client would try them, and back to its names.

        @param service: of which service, by name or port.
        """
        if self._family is not Family.IPV6:
            await self._ask(
                Group.FORWARD,
                "gethostbyname_ex",
                host,
                lambda: hostByName(self._reactor, host, timeout=self._timeout),
                _entryLines,
            )
        port: str | int | None = int(service) if service is not None and service.isdecimal() else service
        endpoints: list[Endpoint] = []

        def ordered(found: list[Endpoint]) -> Iterable[str]:
            endpoints.extend(found)
            return (
                f"{place}. {endpoint} ({endpoint.family.title})" for place, endpoint in enumerate(found, 1)
            )

        await self._ask(
            Group.FORWARD,
            "getaddrinfo",
            host if service is None else f"{host} {service}",
            lambda: addresses(self._reactor, host, port, self._family, timeout=self._timeout),
            ordered,
        )
        for endpoint in endpoints[:MOST_REVERSE]:
            await self._reverse(endpoint)

    async def _reverse(self, endpoint: Endpoint) -> None:
        await self._ask(
            Group.REVERSE,
            "gethostbyaddr",
            endpoint.host,
            lambda: hostByAddress(self._reactor, endpoint.host, timeout=self._timeout),
            _entryLines,
        )
        await self._ask(
            Group.REVERSE,
            "getnameinfo",
            str(endpoint),
            lambda: nameInfo(self._reactor, endpoint.host, endpoint.port, timeout=self._timeout),
            lambda names: [" ".join(map(_name, names)) if endpoint.port else _name(names[0])],
        )

    async def service(self, service: str) -> None:
        """The port of a service, or the service of a port, over TCP and UDP."""
        for transport in ("tcp", "udp"):
            if service.isdecimal():
                ask = partial(serviceByPort, self._reactor, int(service), transport, timeout=self._timeout)
                await self._ask(Group.SERVICE, "getservbyport", f"{service}/{transport}", ask, _text)
            else:
                find = partial(serviceByName, self._reactor, service, transport, timeout=self._timeout)
                await self._ask(Group.SERVICE, "getservbyname", f"{service}/{transport}", find, _text)
        if service.isdecimal() and int(service) < 65536:
            port = int(service)
            await self._ask(
                Group.BYTES,
                "htons",
                service,
                _ready(lambda: networkOrder(port)),
                lambda number: [f"{number} (on the wire {port.to_bytes(2, 'big').hex(' ')})"],
            )

    async def address(self, text: str) -> None:
        """An address as bytes."""
        await self._ask(
            Group.BYTES,
            "inet_pton",
            text,
            _ready(lambda: addressToBytes(text)),
            lambda found: [f"{found[1].hex(' ')} ({found[0].title})"],
        )
        if ":" not in text:
            await self._ask(
                Group.BYTES,
                "inet_aton",
                text,
                _ready(lambda: courseAddressToBytes(text)),
                lambda data: [f"{data.hex(' ')} ({bytesToAddress(data)[1]})"],
            )

    async def bytes(self, data: bytes) -> None:
        """Bytes as an address."""
        function = "inet_ntoa" if len(data) == 4 else "inet_ntop"
        await self._ask(
            Group.BYTES,
            function,
            data.hex(" "),
            _ready(lambda: bytesToAddress(data)),
            lambda found: [f"{found[1]} ({found[0].title})"],
        )

    async def _ask(
        self,
        group: Group,
        function: str,
        of: str,
        call: Callable[[], Awaitable[_Result]],
        lines: Callable[[_Result], Iterable[str]],
    ) -> None:
        startedAt = self._reactor.seconds()
        values: tuple[str, ...] = ()
        problem, status = "", 0
        try:
            values = tuple(lines(await call()))
        except NotAnAddress as error:
            problem, status = str(error), ExitStatus.USAGE
        except Exception:
            # What is no look-up's error is a bug, and must not look like an answer.
            problem, status = explain(Failure())
            if status is ExitStatus.BUG:
                raise
        seconds = self._reactor.seconds() - startedAt
        self.answers.append(Answer(group, function, of, values, seconds, problem, status))


def _ready(call: Callable[[], _Result]) -> Callable[[], Awaitable[_Result]]:
    """A call that does not block, in the shape of one that does."""

    async def answer() -> _Result:
        return call()

    return answer


def _name(name: str) -> str:
    """A name as it may be printed: whoever answers for an address may write anything into it."""
    return (
        name if name.isascii() and name.isprintable() and len(name) <= _LONGEST else shown(name, _LONGEST)
    )


def _text(value: str | int) -> Iterable[str]:
    return [_name(str(value))]


def _entryLines(entry: HostEntry) -> Iterable[str]:
    yield _name(entry.name)
    for alias in entry.aliases:
        yield f"also {_name(alias)}"
    for address in entry.addresses:
        yield f"at {address}"
