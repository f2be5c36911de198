"""Hostile text, and checks that it has no effect."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import timedelta
from html import unescape
from random import Random
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from sync.markup.document import Bullets, Chart, Document, Foreign, Item, Line, Lines, Quote, Strong, Table, clean
from sync.model.health import Note, Override, Status
from sync.model.inputs import Input, InputState
from sync.model.tracker_data import Person
from sync.report.facts import Facts, SourceFreshness
from sync.tracker.marker import find_marker
from tests.golden.situations import NOW, SITUATIONS

PARTS = (
    *("@ada", "@acme/team", "#1", "acme/app#2", "GH-3", "!4", "~bug", "%2.0", "&5", "$6", "^7", "[[x]]", "KEY-8"),
    *("`", "``", "```", "~~~", "*", "**", "_", "__", "~~", "|", "||", "\\", "\\`", "<", ">", "&", "&amp;", "&#96;"),
    *("![x](https://evil.example/a.png)", "[x](https://evil.example)", "<https://evil.example>", "www.evil.example"),
    *("https://github.com/acme/app/issues/9", "mailto:a@b.example", "a@b.example", "0123456789abcdef0123456789abcdef"),
    *(
        "<script>",
        "</details>",
        "</summary>",
        "<details>",
        "<img src=x onerror=y>",
        "<!--",
        "-->",
        "<?x ?>",
        "<![CDATA[",
    ),
    *(
        '<!-- milesync {"v":1} -->',
        "/close",
        "/merge",
        "/milesync mute",
        "\n/label ~x",
        "\r/assign",
        "\x85/a",
        "\u2028/b",
    ),
    *(
        "\u2029/c",
        "\x0b/d",
        "\x0c/e",
        "\x1c/f",
        "\r\n\r\n/close",
        "\n\n",
        "\t",
        "    code",
        "- a",
        "1. b",
        "# h",
        "> q",
    ),
    *("---", "===", "| a | b |\n|---|---|", "[^1]", "[x]: https://evil.example", "- [x] task", ":tada:", "$`x`$", "$$"),
    *("{code}", "{noformat}", "{panel}", "{{", "}}", "{{x}}", "[~ada]", "!pixel.png!", "h1. x", "bq. x", "(/)", ":)"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\x00", "\x1b[31m", "\ud800", "\ufffe", "\U000e0041", "\u0301"),
    *(
        "שלום",
        "سلام",
        "日本",
        "🎉",
        "é",
        "ﷺ",
        "x",
        " ",
        "",
        "word",
        "2",
        "%{x}",
        "::include{file=x}",
        "{+ a +}",
        "=1+1",
    ),
)
PAGE = "https://acme.example/health/m/0123456789ab.html"
"""The only address of our own that a comment links to."""

LINE_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
MEANT = re.compile(r"[@#!~&$^][\w\[]|%[\w\"{]|\bGH-\d|[A-Z]-\d|://|www\.|mailto:|[0-9a-fA-F]{7,}|:\w+:")
HTML_LINES = re.compile(r"<details>\n<summary>[A-Za-z0-9 .,:;()'’?%+\-–—→·█░]*</summary>\n?|</details>\n?")
BLOCKS = {
    "heading",
    "paragraph",
    "blockquote",
    "bullet_list",
    "ordered_list",
    "list_item",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
INLINES = {"text", "code_inline", "strong_open", "strong_close", "softbreak", "hardbreak", "link_open", "link_close"}
OURS = r"[A-Za-z0-9 .,:;()'’?%+\-–—→·█░…]*"
MERMAID = re.compile(
    r"%%\{init: [^\n@#/]*\}%%\nxychart-beta\n"
    rf'    title "{OURS}"\n    x-axis \["{OURS}"(, "{OURS}")*\]\n    y-axis "{OURS}" 0 --> \d+\n'
    r"    bar \[[\d, ]+\]\n    line \[[\d, ]+\]\n"
)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def text(random: Random) -> str:
    return "".join(random.choice(PARTS) for _ in range(random.randrange(1, 7)))


def foreign_texts(document: Document) -> list[str]:
    """Every text in the document that is not our own, by its type, as it is shown."""
    found: list[str] = []
    for line in _lines(document):
        for part in line:
            if isinstance(part, Foreign):
                found.append(clean(part.text, part.limit))
            elif isinstance(part, Item):
                found += [clean(part.key), clean(part.title)] if part.title else [clean(part.key)]
    return found


def own_texts(document: Document) -> list[str]:
    """Every text that claims to be ours."""
    lines = [part.text if isinstance(part, Strong) else part for line in _lines(document) for part in line]
    return [part for part in lines if isinstance(part, str)]


def _lines(document: Document) -> Iterator[Line]:
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Lines | Quote | Bullets):
                yield from block.lines


def columns(document: Document) -> list[Table | Chart]:
    return [b for section in document.sections for b in section.blocks if isinstance(b, Table | Chart)]


def assert_lines_are_quiet(body: str) -> None:
    assert find_marker(body) == ""
    for line in LINE_ENDS.split(body):
        assert not line.lstrip().startswith("/"), line
    assert_no_control(body)


def assert_no_control(body: str) -> None:
    for character in body:
        assert character == "\n" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}, hex(ord(character))
        assert unicodedata.category(character) != "Cf" or character in "\u200c\u200d", hex(ord(character))


def assert_markdown_is_quiet(body: str, *, links: bool, pages: Collection[str] = (PAGE,)) -> list[str]:
    """No mention, reference, image or HTML but our own, no link but to `pages` and redirected. Texts of code spans."""
    assert_lines_are_quiet(body)
    codes: list[str] = []
    opened = 0
    for token in MARKDOWN.parse(body):
        if token.type == "html_block":
            assert HTML_LINES.fullmatch(token.content), token.content
            opened += token.content.count("<details>") - token.content.count("</details>")
            assert opened in {0, 1}
        elif token.type == "fence":
            assert token.info == "mermaid"
            assert MERMAID.fullmatch(token.content), token.content
        elif token.type == "inline":
            codes += _quiet_inline(token.children or [], links, pages)
        else:
            assert token.type.removesuffix("_open").removesuffix("_close") in BLOCKS, token.type
    assert opened == 0
    return codes


def _quiet_inline(tokens: list[Token], links: bool, pages: Collection[str]) -> Iterator[str]:
    said = ""
    if tokens and (tokens[0].type, tokens[0].content) == ("html_inline", "<sub>"):  # ours: small text as a whole
        assert tokens[-1].content == "</sub>"
        tokens = tokens[1:-1]
    for token in tokens:
        assert token.type in INLINES, (token.type, token.content)
        if token.type == "link_open" and token.attrs["href"] not in pages:
            assert links
            assert re.fullmatch(
                r"https://redirect\.github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", str(token.attrs["href"])
            )
        elif token.type == "code_inline":
            yield token.content
        said += token.content if token.type == "text" else "\n"
    assert not MEANT.search(said), said


KEYS = {
    "doc": {"version", "content"},
    "heading": {"attrs", "content"},
    "paragraph": {"content"},
    "blockquote": {"content"},
    "bulletList": {"content"},
    "orderedList": {"content"},
    "listItem": {"content"},
    "table": {"content"},
    "tableRow": {"content"},
    "tableHeader": {"content"},
    "tableCell": {"content"},
    "expand": {"attrs", "content"},
    "hardBreak": set(),
    "text": {"text"},
}


def assert_adf_is_quiet(body: str) -> list[str]:
    """Only the nodes and marks that we use, with no key more. The texts of all code-marked text nodes."""
    codes: list[str] = []

    def walk(node: dict[str, Any]) -> None:
        assert set(node) - {"type"} - ({"marks"} if node["type"] == "text" else set()) == KEYS[node["type"]], node
        if node["type"] == "text":
            assert node["text"]
            kinds = [mark["type"] for mark in node.get("marks", [])]
            assert kinds in ([], ["strong"], ["code"], ["code", "link"], ["link"]), kinds
            for mark in node.get("marks", []):
                if mark["type"] == "link":
                    assert re.fullmatch(r"https?://[\w./~%:-]+", mark["attrs"]["href"], re.ASCII)
            if "code" in kinds:
                codes.append(node["text"])
        for child in node.get("content", []):
            walk(child)

    document = json.loads(body)
    assert document["type"] == "doc"
    walk(document)
    assert_lines_are_quiet(body)
    return codes


def assert_wiki_is_quiet(body: str, *, pages: Collection[str] = (PAGE,)) -> list[str]:
    """No sign of the markup but those that begin a line, make bold or part cells. The texts of all literals."""
    assert_lines_are_quiet(body)
    literal = re.compile(r"\{\{((?:[A-Za-z0-9, \u0080-\U0010ffff]|&#\d+;)+)\}\}")
    codes = [unescape(found) for found in literal.findall(body)]
    lines = literal.sub("x", body).split("\n")
    quotes = [line for line in lines if line == "{quote}"]
    addresses = "|".join(map(re.escape, pages))
    assert len(quotes) % 2 == 0, "every quotation ends"
    for line in lines:
        if line == "{quote}":
            continue
        bare = re.sub(r"^(h[34]\. |\* |# |\|\|?)", "", line)
        bare = re.sub(r"\((?:[/!x*?i-]|off)\)", "", bare)  # our signs; brackets that people wrote are entities
        bare = re.sub(rf"\[([^\[\]|]+)\|(?:{addresses})\]", r"\1", bare)
        bare = re.sub(r"\*([^*]+)\*", r"\1", bare).replace("|", " ")
        assert re.fullmatch(r"(?:[A-Za-z0-9 .,:;'’%–—→·█░…]|&#\d+;)*", bare), line
    return codes


def attacked(random: Random) -> Facts:
    """A real situation with every text that a tracker holds replaced."""
    facts = SITUATIONS[random.choice(sorted(SITUATIONS))]()

    def any_text() -> str:
        return text(random)

    items = {
        uid: replace(
            issue,
            key=any_text(),
            title=any_text(),
            url=random.choice((issue.url, issue.url + any_text(), any_text())),
            labels=(any_text(),),
            raw_state=any_text(),
            assignees=tuple(Person(any_text(), any_text()) for _ in issue.assignees),
            blocked_by=tuple(any_text() for _ in issue.blocked_by),
        )
        for uid, issue in list(facts.items.items())[:20]
    }
    return replace(
        facts,
        items=items,
        milestone=replace(
            facts.milestone,
            title=any_text(),
            key=any_text(),
            description=any_text(),
            url=random.choice((facts.milestone.url, facts.milestone.url + any_text(), any_text())),
        ),
        project=any_text(),
        owners=tuple(any_text() for _ in range(random.randrange(3))),
        sources=(
            SourceFreshness(name=any_text(), at=NOW),
            SourceFreshness(name=any_text(), at=NOW - timedelta(days=1)),
        ),
        missing=(Input(connection=any_text(), project=any_text(), state=InputState.STALE, failure=any_text()),),
        calibration=any_text(),
        override=Override(status=Status.DONE, by=any_text(), because=any_text(), at=NOW),
        note=Note(by=any_text(), at=NOW, text=any_text()),
        commands=True,
        page=random.choice(("", PAGE)),
    )
