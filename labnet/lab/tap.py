"""
C{twistd labnet}: the whole lab, or the part of it that a TOML file describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, cast

from twisted.application.service import IService
from twisted.python.usage import CoerceParameter

from labnet.catalogue import Entry, Kind, entryFor, servers
from labnet.lab.config import Arity, ConfigError, Document, Section, Setting, argv, parse
from labnet.lab.ports import PortOutOfRange, portOf, shifted, shiftedReference
from labnet.lab.service import LabService, Part, table
from labnet.net.console import Console
from labnet.net.faulting import FaultSwitch
from labnet.net.options import (
    TRACE_FLAG,
    TRACE_PARAMETERS,
    CommandOptions,
    ServerOptions,
    UsageError,
    logAsJSON,
    number,
)
from labnet.net.trace import Trace

__all__ = ["TRACE_KEYS", "Options", "grammarOf", "makeService"]

#: The keys that may stand above the tables, and then hold for all of them.
TRACE_KEYS = {
    "trace": Arity.FLAG,
    "trace-file": Arity.VALUE,
    "trace-bytes": Arity.VALUE,
    "trace-redact": Arity.REPEATED,
}

#: The server that looks at the others.
_DASHBOARD = "dashboard"


class Options(CommandOptions):
    """
    The lab's options.

    @ivar sections: what runs, in the order of starting; there after C{postOptions}.
    @ivar parts: the same, checked and ready to be built.
    """

    entry: ClassVar[Entry] = entryFor("labnet", Kind.LAB)

    synopsis = "[--config FILE.toml] [--only NAME,NAME] [--port-offset N] [--list] [--trace]"
    longdesc = (
        "Every server of labnet at once, on its default ports on the loopback interface, or those that "
        "a TOML file names."
    )

    optParameters = [
        ["config", "c", None, "A TOML file that says what runs and how; without one, everything runs."],
        ["only", None, None, "Run only these, separated by commas."],
        ["port-offset", None, 0, "Add this to every port the lab listens on.",
         number(int, "port-offset", -65_535, 65_535)],
        *TRACE_PARAMETERS,
    ]  # fmt: skip

    optFlags = [
        ["list", None, "Print what would run and where, and exit."],
        ["json-logs", None, "Write the log as one JSON object a line."],
        TRACE_FLAG,
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["trace-redact"] = []
        self.sections: tuple[Section, ...] = ()
        self.parts: tuple[Part, ...] = ()

    def opt_trace_redact(self, expression: str) -> None:
        """Hide what this regular expression finds in a trace, or only its groups. May be repeated."""
        self["trace-redact"].append(expression)

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        document = self._document()
        self.sections = tuple(self._traced(section) for section in self._chosen(document.sections))
        self.parts = _parts(self.sections, self["port-offset"], self._where)
        if self["list"]:
            self._printList()
            raise SystemExit(0)
        if self["json-logs"] or document.jsonLogs:
            logAsJSON(self)

    def _document(self) -> Document:
        if self["config"] is None:
            return Document(tuple(Section(entry.name) for entry in servers()))
        try:
            text = Path(self["config"]).read_text(encoding="utf-8")
            grammars = {entry.name: grammarOf(_tapOf(entry).Options()) for entry in servers()}
            return parse(text, grammars, TRACE_KEYS)
        except OSError as error:
            raise UsageError(f"--config: {self['config']}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--config: {self['config']}: not UTF-8 at byte {error.start}") from error
        except ConfigError as error:
            raise UsageError(f"{self._where}{error}") from error

    def _traced(self, section: Section) -> Section:
        """The section, with what our own command line says of traces in place of what the file does."""
        ours: list[Setting] = [Setting("trace-redact", one) for one in self["trace-redact"]]
        ours += [
            Setting(name, str(self[name]))
            for name in ("trace-file", "trace-bytes")
            if self[name] != self.defaults[name]
        ]
        if self["trace"]:
            ours.append(Setting("trace"))
        said = {setting.option for setting in ours}
        kept = (setting for setting in section.settings if setting.option not in said)
        return replace(section, settings=(*kept, *ours))

    @property
    def _where(self) -> str:
        """What stands before a message about a section."""
        return f"{self['config']}: " if self["config"] is not None else ""

    def _chosen(self, sections: tuple[Section, ...]) -> tuple[Section, ...]:
        if self["only"] is None:
            return sections
        names = [name.strip() for name in self["only"].split(",")]
        known = [entry.name for entry in servers()]
        for name in names:
            if name not in known:
                raise UsageError(f"--only: {name!r} is none of {', '.join(known)}")
            if name not in {section.service for section in sections}:
                raise UsageError(f"--only: {self['config']} has no {name}")
        return tuple(section for section in sections if section.service in names)

    def _printList(self) -> None:
        rows = [
            (section.path, shifted(description, self["port-offset"]), entry.line)
            for section in self.sections
            for entry in [entryFor(section.service, Kind.SERVER)]
            for description in section.values("listen") or entry.endpoints
        ]
        console = Console()
        for line in table([("service", "listens on", "what it is"), *rows]):
            console.say(line)


def makeService(options: Options) -> LabService:
    """The lab as a service."""
    return LabService(options.parts)


def grammarOf(options: ServerOptions) -> dict[str, Arity]:
    """
    What a service's tables may hold: each of its options, except those that only print something.
    """
    grammar: dict[str, Arity] = {}
    for long in options.longOpt:
        name, takesValue, _ = long.partition("=")
        name = name.replace("_", "-")
        handler = options._dispatch[options.synonyms[long.rstrip("=")]]
        if takesValue:
            grammar[name] = Arity.VALUE if isinstance(handler, CoerceParameter) else Arity.REPEATED
        elif handler == options._generic_flag:
            grammar[name] = Arity.FLAG
    # The lab has one log, so this is an option of the lab.
    grammar.pop("json-logs", None)
    return grammar


def _tapOf(entry: Entry) -> Any:
    return import_module(entry.tap)


def _parts(sections: Sequence[Section], offset: int, where: str) -> tuple[Part, ...]:
    """
    The sections, moved by C{offset} and checked by the services' own options.

    @raise UsageError: one of them is mistaken.
    """
    moving = frozenset(
        fixed
        for section in sections
        for description in _listens(section)
        if (fixed := portOf(description.strip())) is not None
    )
    # Only whom somebody looks at is recorded.
    trace = Trace() if any(section.service == _DASHBOARD for section in sections) else None
    parts = []
    onDefaults: dict[str, Section] = {}
    for section in sections:
        if not section.values("listen"):
            first = onDefaults.setdefault(section.service, section)
            if first is not section:
                raise UsageError(
                    f"{where}{section.path}.listen: missing, and {first.path} has the default endpoints"
                )
        try:
            parts.append(_part(section, offset, moving, trace))
        except UsageError as error:
            raise UsageError(f"{where}{_located(section.path, str(error))}") from error
        except PortOutOfRange as error:
            raise UsageError(f"{where}{section.path}: --port-offset: {error}") from error
    return tuple(parts)


def _listens(section: Section) -> Sequence[str]:
    return section.values("listen") or entryFor(section.service, Kind.SERVER).endpoints


def _part(section: Section, offset: int, moving: frozenset[tuple[str, int]], trace: Trace | None) -> Part:
    tap = _tapOf(entryFor(section.service, Kind.SERVER))
    # Where a later server listens is not known yet: such an option only moves with the ports.
    earlier = {entry.name for entry in takewhile(lambda entry: entry.name != section.service, servers())}
    references = {option: other for option, other in tap.Options.references.items() if other[0] in earlier}
    settings = _moved(section, offset, moving, tap.Options()) if offset else section.settings
    checked = tap.Options()
    checked.parseOptions(argv(settings))

    def build(filled: Mapping[str, str]) -> IService:
        options = checked
        if filled:
            options = tap.Options()
            late = tuple(Setting(option, value) for option, value in filled.items())
            options.parseOptions(argv(settings + late))
        options.layers.trace = trace
        if trace is not None and options.layers.faults is None:
            # So that somebody can turn them on.
            options.layers.faults = FaultSwitch()
        return cast(IService, tap.makeService(options))

    return Part(
        section.service,
        section.number,
        build,
        {option: other for option, other in references.items() if not section.values(option)},
        frozenset(service for service, _ in references.values()),
    )


def _moved(
    section: Section, offset: int, moving: frozenset[tuple[str, int]], options: ServerOptions
) -> tuple[Setting, ...]:
    """
    The settings with every port moved: where the service listens, and every address of another server of
    this lab. What a service expects by default moves always, for the other may be in a second lab.
    """
    grammar = grammarOf(options)
    moved = [
        Setting(setting.option, shiftedReference(setting.value, offset, moving))
        if setting.value and grammar[setting.option] is Arity.VALUE
        else setting
        for setting in section.settings
        if setting.option != "listen"
    ]
    moved += [Setting("listen", shifted(description, offset)) for description in _listens(section)]
    for option in options.references:
        usual = options.defaults.get(option)
        if usual and not section.values(option):
            moved.append(Setting(option, shiftedReference(usual, offset)))
    return tuple(moved)


def _located(path: str, message: str) -> str:
    """A service's own C{--profile: ...} as a message about the file's key C{calculator.profile: ...}."""
    option, colon, rest = message.partition(": ")
    if colon and option.startswith("--") and " " not in option:
        return f"{path}.{option[2:]}: {rest}"
    return f"{path}: {message}"
