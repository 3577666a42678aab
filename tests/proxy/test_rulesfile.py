"""
What a file of rules says, and what is said of one that is wrong.
"""

from __future__ import annotations

import pytest

from labnet.net.hosts import HostPatterns
from labnet.proxy.pages import Page
from labnet.proxy.rules import Allowance, Conditions, LooksAt, Pattern, Rule
from labnet.proxy.rulesfile import BadRules, RulesFile, parseRules

EVERYTHING = """
allow_only = ["*.lab.test", "127.0.0.1"]

[[block]]
text = "SzámHáló"

[[block]]
name = "games"
regex = 'gam(e|ing)s?'
ignore_case = true
longest = 100
seconds = 1
hosts = ["*.example", "Games.Test"]
paths = "/forum/"
types = ["text/HTML", "application/*"]
in = "both"
status = 451
page = "games.html"

[[block]]
text = "poker"
ignore_case = true

[[block]]
regex = "a+b"
in = "request"

[[allow]]
name = "the library"
hosts = "library.test"

[[allow]]
types = "image/*"
"""


def read(text: str) -> RulesFile:
    return parseRules(text.encode(), lambda name: b"<p>" + name.encode())


def test_everyKey() -> None:
    file = read(EVERYTHING)
    hosts = HostPatterns(frozenset(["games.test"]), frozenset(["example"]))
    types = frozenset(["text/html", "application/*"])
    assert file.rules == (
        Rule("SzámHáló".encode()),
        Rule(
            b"gam(e|ing)s?", Pattern.FOLDED_EXPRESSION, 100, "games", LooksAt.BOTH,
            Conditions(hosts, ("/forum/",), types), 451, Page(b"<p>games.html"), 1.0,
        ),
        Rule(b"poker", Pattern.FOLDED),
        Rule(b"a+b", Pattern.EXPRESSION, looksAt=LooksAt.REQUEST),
    )  # fmt: skip
    assert file.allowances == (
        Allowance("the library", Conditions(HostPatterns(frozenset(["library.test"])))),
        Allowance("[[allow]] 2", Conditions(types=frozenset(["image/*"]))),
    )
    assert file.onlyHosts == HostPatterns(frozenset(["127.0.0.1"]), frozenset(["lab.test"]))


def test_anEmptyFile() -> None:
    assert read("") == RulesFile()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("block = 1", "block: write [[block]], a table for each"),
        ("[block]\ntext='a'", "block: write [[block]], a table for each"),
        ("[[blok]]", "blok: there is no such key; there are allow, allow_only, block"),
        ("[[block]]", "[[block]] 1: give text or regex, one of them"),
        ("[[block]]\ntext='a'\nregex='b'", "[[block]] 1: give text or regex, one of them"),
        ("[[block]]\ntext=''", "[[block]] 1: text: give a string that is not empty"),
        ("[[block]]\ntext=3", "[[block]] 1: text: give a string that is not empty"),
        ("[[block]]\ntext='a'\nname='n'\n[[block]]\nname='m'", "[[block]] 2 (m): give text or regex"),
        ("[[block]]\ntext='a'\nhost='b'", "[[block]] 1: host: there is no such key; there are hosts, "),
        ("[[block]]\nregex='('", "[[block]] 1: regex: '(': missing )"),
        ("[[block]]\nregex='a*'", "[[block]] 1: regex: 'a*' matches the empty string"),
        ("[[block]]\nregex='[á]'", "[[block]] 1: regex: '[á]': '[á]' has a letter beyond ASCII"),
        ("[[block]]\ntext='a'\nlongest=1", "[[block]] 1: longest: it goes with regex"),
        ("[[block]]\ntext='a'\nseconds=1", "[[block]] 1: seconds: it goes with regex"),
        ("[[block]]\nregex='a'\nseconds=0", "[[block]] 1: seconds: give a number from 0.001 to 60"),
        ("[[block]]\nregex='a'\nseconds='1'", "[[block]] 1: seconds: give a number from 0.001 to 60"),
        ("[[block]]\nregex='a'\nlongest=0", "[[block]] 1: longest: give a number from 1 to 65536"),
        ("[[block]]\ntext='a'\nignore_case=1", "[[block]] 1: ignore_case: give true or false"),
        ("[[block]]\ntext='a'\nstatus=200", "[[block]] 1: status: give a number from 400 to 599"),
        ("[[block]]\ntext='a'\nstatus=true", "[[block]] 1: status: give a number from 400 to 599"),
        ("[[block]]\ntext='a'\nin='body'", "[[block]] 1: in: 'body' is none of response, request, both"),
        ("[[block]]\ntext='a'\nhosts='a b'", "[[block]] 1: hosts: 'a b' is neither a host name nor an"),
        ("[[block]]\ntext='a'\nhosts=[]", "[[block]] 1: hosts: the array is empty"),
        ("[[block]]\ntext='a'\nhosts=[1]", "[[block]] 1: hosts: give a string, or an array of strings"),
        ("[[block]]\ntext='a'\npaths='a'", "[[block]] 1: paths: 'a' does not begin with / or *"),
        ("[[block]]\ntext='a'\ntypes='html'", "[[block]] 1: types: 'html' is not of the form"),
        ("[[allow]]", "[[allow]] 1: give hosts, paths, types, one of them at least"),
        (
            "[[allow]]\ntext='a'",
            "[[allow]] 1: text: there is no such key; there are hosts, name, paths, types",
        ),
        ("allow_only = 3", "allow_only: give a string, or an array of strings"),
        ("allow_only = []", "allow_only: the array is empty"),
        ("a = ", "not TOML: "),
    ],
)
def test_whatIsWrongIsOneLine(text: str, said: str) -> None:
    """With the table's number and name, and the key."""
    with pytest.raises(BadRules) as caught:
        read(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_whatIsNotUTF8() -> None:
    with pytest.raises(BadRules, match="byte 1 is not UTF-8"):
        parseRules(b"#\xff", lambda name: b"")


def test_pagesThatCanNotBeUsed() -> None:
    def missing(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    text = b"[[block]]\ntext='a'\npage='p.html'"
    with pytest.raises(BadRules, match=r"\[\[block\]\] 1: page: p.html: No such file"):
        parseRules(text, missing)
    with pytest.raises(BadRules, match=r"page: p.html: {{x}} is none of reason, rule, status, url"):
        parseRules(text, lambda name: b"{{x}}")
