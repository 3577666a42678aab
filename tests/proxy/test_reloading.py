"""
The proxy's files are read again while it runs.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, LogLevel

from labnet.net.options import UsageError
from labnet.net.service import listeners
from labnet.proxy.pages import Page
from labnet.proxy.policy import DEFAULT_RULE
from labnet.proxy.reloading import ReloadingService
from labnet.proxy.rules import Rule
from labnet.proxy.tap import Options, makeService


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(["--listen", "tcp:0", *arguments])
    return options


def lines(events: list[LogEvent]) -> list[tuple[LogLevel, str]]:
    return [
        (event["log_level"], event["log_format"].format(**event))
        for event in events
        if event.get("log_namespace", "").startswith("labnet.proxy.reloading")
    ]


def test_theRulesInForceAreThoseOfTheFiles(tmp_path: Path, loggedEvents: list[LogEvent]) -> None:
    """Rules, strings and pages are read again, for every place that is listened on."""
    rules, strings, page = (tmp_path / name for name in ("rules.toml", "strings", "page.html"))
    rules.write_text("[[block]]\ntext = 'a'")
    strings.write_text("b")
    page.write_text("old")
    options = parsed(
        "--listen", "tcp:0", "--rules", str(rules), "--block-file", str(strings), "--block", "c",
        "--error-page", str(page),
    )  # fmt: skip
    service = ReloadingService(options.readPolicy)
    for listener in listeners(makeService(options)):
        service.addService(listener)
    factories = [listener.factory for listener in listeners(service)]
    assert len(factories) == 2
    rules.write_text("allow_only = 'x.test'\n[[block]]\ntext = 'd'\n[[block]]\ntext = 'e'")
    strings.write_text("f")
    page.write_text("new")
    service.reload()
    for factory in factories:
        assert list(factory.policy.rules) == [Rule(text) for text in (b"c", b"f", b"d", b"e")]
        assert factory.policy.errorPage == Page(b"new")
        assert factory.policy.onlyHosts is not None
    assert lines(loggedEvents) == [(LogLevel.info, "proxy: 4 rules in force")]


def test_aFileThatIsWrongNowChangesNothing(tmp_path: Path, loggedEvents: list[LogEvent]) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[block]]\ntext = 'a'")
    service = makeService(parsed("--rules", str(rules)))
    (listener,) = listeners(service)
    before = listener.factory.policy
    rules.write_text("[[block]]\ntext = 'b'\n[[block]]\nregex = '('")
    service.reload()
    assert listener.factory.policy is before
    rules.unlink()
    service.reload()
    assert listener.factory.policy is before
    assert [(level, text.partition("rules.toml: ")[2]) for level, text in lines(loggedEvents)] == [
        (LogLevel.error, "[[block]] 2: regex: '(': missing ), unterminated subpattern at position 0"),
        (LogLevel.error, "No such file or directory"),
    ]


def test_filesAreThoseThatWereMeantFirst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has moved to another folder since reads the same ones, and pages beside the rules."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "page.html").write_text("<p>page")
    (folder / "rules.toml").write_text("[[block]]\ntext = 'a'\npage = 'page.html'")
    options = parsed("--rules", "rules/rules.toml")
    monkeypatch.chdir("/")
    (rule,) = options.readPolicy().rules
    assert rule.page == Page(b"<p>page")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rules", "none.toml"), "--rules: none.toml: No such file or directory"),
        (
            ("--rules", "bad.toml"),
            "--rules: bad.toml: [[block]] 1 (games): status: give a number from 400 to 599",
        ),
        (
            ("--block-page", "bad.html"),
            "--block-page: bad.html: {{ruel}} is none of reason, rule, status, url",
        ),
        (
            ("--error-page", "bad.html"),
            "--error-page: bad.html: {{ruel}} is none of reason, rule, status, url",
        ),
    ],
)
def test_whatIsWrongIsSaidAtTheStart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[[block]]\nname = 'games'\ntext = 'a'\nstatus = 99")
    Path("bad.html").write_text("{{ruel}}")
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == said


def test_aFileOfRulesReplacesTheDefault(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    assert list(parsed("--rules", str(rules)).policy.rules) == []
    assert list(parsed().policy.rules) == [DEFAULT_RULE]


def test_theServiceListensForTheSignalAsLongAsItRuns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def onHangup(reactor: object, call: object) -> object:
        calls.append("asked")
        return lambda: calls.append("ended")

    monkeypatch.setattr("labnet.net.hangup.onHangup", onHangup)
    monkeypatch.setattr(Options, "reactor", MemoryReactorClock())
    monkeypatch.setattr("labnet.net.options.globalReactor", MemoryReactorClock)
    service = makeService(parsed())
    service.startService()
    assert calls == ["asked"]
    service.stopService()
    assert calls == ["asked", "ended"]
