"""
The options that say what is blocked, and what is shown instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from labnet.net.hosts import HostPatterns
from labnet.net.options import ServerOptions, UsageError
from labnet.proxy.pages import BLOCK_PAGE, ERROR_PAGE, BadPage, Page
from labnet.proxy.policy import DEFAULT_RULE
from labnet.proxy.rules import Allowance, Rule
from labnet.proxy.rulesfile import BadRules, RulesFile, parseRules

__all__ = ["RuleOptions", "Ruling"]

if TYPE_CHECKING:
    _Options = ServerOptions
else:
    # A mixin: the options of what it is mixed into are gathered once.
    _Options = object


@dataclass(frozen=True, slots=True)
class Ruling:
    """
    What the files said when they were read.

    @ivar rules: what is blocked.
    @ivar allowances: what is not looked at.
    @ivar onlyHosts: the hosts that may be reached; L{None} for all.
    @ivar blockPage: the page in place of what is blocked.
    @ivar errorPage: the page in place of errors.
    """

    rules: tuple[Rule, ...]
    allowances: tuple[Allowance, ...]
    onlyHosts: HostPatterns | None
    blockPage: Page
    errorPage: Page


class RuleOptions(_Options):
    """
    Mixed into the proxy's options. Files are those that the names meant when the options were read, also
    when the process has moved to another folder since.
    """

    optParameters = [
        ["block-page", None, None, "A file: the page in place of what is blocked, in HTML; {{reason}}, "
         "{{rule}}, {{status}} and {{url}} are filled in."],
        ["error-page", None, None, "A file: the page in place of the proxy's own errors; the same are "
         "filled in."],
    ]  # fmt: skip

    optFlags = [
        ["inspect-request", None, "Look at requests, too: target, fields and body."],
        ["course-404", None, "Answer what is blocked with the course's exact bytes, as with --target."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["block"] = []
        self["block-file"] = []
        self["rules"] = []
        self._ruleFolder = Path()

    def opt_block(self, text: str) -> None:
        """
        A string to block. May be repeated. [default: SzamHalo]
        """
        if not text:
            raise UsageError("--block: the string is empty")
        self["block"].append(Rule(text.encode("utf-8")))

    def opt_block_file(self, name: str) -> None:
        """
        A file of strings to block, one a line; empty lines and lines that begin with # are passed
        over. May be repeated.
        """
        self["block-file"].append(name)

    def opt_rules(self, name: str) -> None:
        """
        A file of rules in TOML: strings and regular expressions to block, by host, path and media type,
        and what is not looked at. May be repeated.
        """
        self["rules"].append(name)

    def postOptions(self) -> None:
        super().postOptions()
        if self["course-404"] and self["block-page"]:
            raise UsageError("--course-404 and --block-page: use one of them")
        self._ruleFolder = Path.cwd()

    def readRuling(self) -> Ruling:
        """
        Read all the files.

        @raise UsageError: one is not there, or wrong.
        """
        files = [self._rulesFile(name) for name in self["rules"]]
        only = [file.onlyHosts for file in files if file.onlyHosts is not None]
        return Ruling(
            self._rules(files),
            tuple(entry for file in files for entry in file.allowances),
            reduce(HostPatterns.union, only) if only else None,
            self._page("block-page", BLOCK_PAGE),
            self._page("error-page", ERROR_PAGE),
        )

    def _rules(self, files: Sequence[RulesFile]) -> tuple[Rule, ...]:
        rules = list(self["block"])
        for name in self["block-file"]:
            lines = self._read("block-file", name).splitlines()
            rules += [Rule(line) for line in lines if line.strip() and not line.startswith(b"#")]
        rules += [rule for file in files for rule in file.rules]
        if not rules and not self["block-file"] and not files:
            rules = [DEFAULT_RULE]
        return tuple(dict.fromkeys(rules))

    def _rulesFile(self, name: str) -> RulesFile:
        data = self._read("rules", name)
        beside = (self._ruleFolder / name).parent
        try:
            return parseRules(data, lambda page: (beside / page).read_bytes())
        except BadRules as error:
            raise UsageError(f"--rules: {name}: {error}") from error

    def _page(self, option: str, default: Page) -> Page:
        name = self[option]
        if not name:
            return default
        try:
            return Page(self._read(option, name))
        except BadPage as error:
            raise UsageError(f"--{option}: {name}: {error}") from error

    def _read(self, option: str, name: str) -> bytes:
        try:
            return (self._ruleFolder / name).read_bytes()
        except OSError as error:
            raise UsageError(f"--{option}: {name}: {error.strerror}") from error
