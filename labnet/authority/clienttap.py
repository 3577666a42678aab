"""
C{labnet ca} and C{twistd labnet-authority-client}: make the lab's certificate authority, show it, and let
it sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from labnet.authority.certificates import (
    LAB,
    Authority,
    Permitted,
    makeAuthority,
    makeKey,
)
from labnet.authority.store import (
    CERTIFICATE,
    DEFAULT_FOLDER,
    StoreError,
    loadAuthority,
    saveAuthority,
    saveIssued,
)
from labnet.authority.trust import trustAdvice
from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.console import Console
from labnet.net.hosts import BadHost, plainHost
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "run"]

_MAKE, _SHOW, _ISSUE = "make", "show", "issue"
_DAYS_OF_AN_AUTHORITY = 365
_DAYS_OF_A_SERVER = 90


class Options(CommandOptions):
    """The options of the authority."""

    synopsis = "[options] [make | show | issue NAME...]"
    longdesc = (
        "Makes a certificate authority for the lab, shows it and how to trust it, or lets it sign a "
        "certificate for a server with those names and addresses. Whoever has its key can pose as any "
        "server that it may sign for, to everybody who trusts it."
    )

    entry: ClassVar[Entry] = entryFor("authority", Kind.CLIENT)

    optParameters = [
        ["dir", "d", DEFAULT_FOLDER, "The authority's folder."],
        ["out", "o", ".", "issue: the folder for the certificate and its key."],
        ["days", None, None, "For how many days it holds: the authority, unless something else is said, "
         f"{_DAYS_OF_AN_AUTHORITY}, a server's certificate {_DAYS_OF_A_SERVER}.",
         number(int, "days", 1, 3650)],
    ]  # fmt: skip

    optFlags = [["force", "f", "Replace what is there."]]

    action = _MAKE
    names: tuple[str, ...] = ()
    permitted: Permitted | None = LAB

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["permit"] = []

    def opt_permit(self, what: str) -> None:
        """
        make: a domain, an address or a network that the authority may sign for besides the names of labs
        and the private addresses, or 'any'. May be repeated.
        """
        self["permit"].append(what)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand anywhere."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, action: str = _MAKE, *names: str) -> None:
        if action not in (_MAKE, _SHOW, _ISSUE):
            raise UsageError(f"{action!r} is none of {_MAKE}, {_SHOW}, {_ISSUE}")
        if names and action != _ISSUE:
            raise UsageError(f"{action} takes no names")
        if not names and action == _ISSUE:
            raise UsageError("issue: for which NAME?")
        self.action, self.names = action, names

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            for name in self.names:
                plainHost(name.removeprefix("*."))
            wanted = self["permit"]
            self.permitted = None if "any" in wanted else LAB + Permitted.read(wanted)
        except BadHost as error:
            raise UsageError(str(error)) from error

    @property
    def folder(self) -> Path:
        """The authority's folder."""
        return Path(self["dir"]).expanduser()

    def lifetime(self, usual: int) -> timedelta:
        """How long it holds: what was asked for, or the usual number of days."""
        return timedelta(days=self["days"] or usual)


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Do what the options say, tell of it, and return the exit status."""
    now = datetime.now(UTC)
    try:
        if options.action == _ISSUE:
            _issue(options, console, now)
        else:
            if options.action == _MAKE:
                made = makeAuthority(now, options.lifetime(_DAYS_OF_AN_AUTHORITY), options.permitted)
                saveAuthority(options.folder, made, force=bool(options["force"]))
            _show(options.folder, loadAuthority(options.folder), console)
    except (StoreError, ValueError) as error:
        raise ClientError(str(error), ExitStatus.USAGE) from error
    return ExitStatus.OK


def _show(folder: Path, authority: Authority, console: Console) -> None:
    file = str(folder / CERTIFICATE)
    lines = [
        f"{authority.name} in {folder}",
        f"SHA-256 {authority.fingerprint}",
        f"holds until {authority.certificate.not_valid_after_utc:%Y-%m-%d}",
        f"may sign for {authority.permitted or 'every name and address'}",
        "",
        "To trust it:",
        *trustAdvice(file, authority.keyHash),
    ]
    for line in lines:
        console.say(line)


def _issue(options: Options, console: Console, now: datetime) -> None:
    authority = loadAuthority(options.folder)
    key = makeKey()
    certificate = authority.issue(options.names, key.public_key(), now, options.lifetime(_DAYS_OF_A_SERVER))
    chain = (certificate, authority.certificate)
    files = saveIssued(Path(options["out"]), options.names[0], chain, key, force=bool(options["force"]))
    console.say(f"certificate {files[0]}, key {files[1]}, until {certificate.not_valid_after_utc:%Y-%m-%d}")
    console.say(f"for a server of the lab: --listen ssl:8443:certKey={files[0]}:privateKey={files[1]}")


def makeService(options: Options) -> ClientService:
    """The command as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
