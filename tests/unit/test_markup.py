from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from sync.markup import MIN_LIMIT, UNFOLDED, render
from sync.markup.document import (
    SIGNS,
    Block,
    Bullets,
    Chart,
    Document,
    Foreign,
    Item,
    Line,
    Lines,
    Link,
    Quote,
    Section,
    Sign,
    Strong,
    Table,
    clean,
    clean_id,
    is_ours,
)
from sync.markup.html import html
from sync.markup.message import html_message, text_message
from sync.markup.terminal import terminal
from sync.model.health import Status
from sync.model.tracker_data import Markup

WIDE = 100_000


def paragraph(*parts: object) -> Document:
    line: Line = tuple(parts)  # type: ignore[arg-type]
    return Document((Section(title="", blocks=(Lines((line,)),), weight=1),))


def github(*parts: object) -> str:
    return render(paragraph(*parts), Markup.GITHUB, WIDE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\u2028and\x85more", "two lines and more"),
        ("\u202eevil\u202c", "evil"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("bell\x07 esc\x1b[2J", "bell\ufffd esc\ufffd[2J"),
        ("lone \ud800", "lone \ufffd"),
        ("<!-- milesync {} -->", "<! -- milesync {} -->"),
        ("  \t ", "(no text)"),
        ("", "(no text)"),
        ("x" * 120, "x" * 99 + "…"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("text", ["At risk: 52% likely by 12 Dec 2026", "+21 days", "64% → 52%", "█░ 5%: 1 of 2"])
def test_our_words_are_ours(text: str) -> None:
    assert is_ours(text)


@pytest.mark.parametrize("text", ["@ada", "#1", "GH-1", "a/b", "x*y", "www.x", ":tada:", "%2", "abcdef0", "--", "שלום"])
def test_what_a_tracker_could_read_is_not(text: str) -> None:
    assert not is_ours(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [("plain", "`plain`"), ("a`b", "`` a`b ``"), ("`", "`` ` ``"), ("``x```", "```` ``x``` ````")],
)
def test_a_fence_is_longer_than_any_run_inside(text: str, span: str) -> None:
    assert github(Foreign(text)) == span


def test_code_spans_side_by_side_stay_two() -> None:
    assert github(Foreign("a"), Foreign("b")) == "`a` `b`"


def test_words_that_are_not_ours_become_code() -> None:
    assert github("mail @ada") == "`mail @ada`"
    assert github(Strong("#1")) == "`#1`"


@pytest.mark.parametrize(("text", "shown"), [("3. things", "3\\. things"), ("- x", "\\- x"), ("1) x", "1\\) x")])
def test_words_never_begin_a_list(text: str, shown: str) -> None:
    assert github(text) == shown


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("https://github.com/acme/app/issues/9", True),
        ("https://github.com/acme/app/pull/9", True),
        ("https://github.com/acme/app/issues/9) @ada", False),
        ("https://github.acme.example/acme/app/issues/9", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_only_plain_items_on_github_are_links(url: str, links: bool) -> None:
    body = github(Item("#9", "Title", url))
    assert body.endswith("`#9` `Title`") is not links
    assert ("redirect.github.com" in body) is links
    assert "](" not in render(paragraph(Item("#9", "Title", url)), Markup.GITLAB, WIDE)


def test_markdown_blocks() -> None:
    section = Section(
        title="What",
        blocks=(
            Bullets((("a",), ("b",)), numbered=True),
            Table(("One", "Two"), (("1", "a|b"),)),
            Chart("Done", ("1 Oct", "2 Oct"), (1, 2), (3, 3)),
        ),
        weight=1,
        folded=True,
    )
    body = render(Document((section,)), Markup.GITLAB, WIDE)
    assert body.startswith(
        "<details>\n<summary>What</summary>\n\n1. a\n2. b\n\n| One | Two |\n| --- | --- |\n| 1 | … |"
    )
    assert 'x-axis ["1 Oct", "2 Oct", " "]\n    y-axis "Issues" 0 --> 3\n    bar [1, 2]\n    line [3, 3]\n```' in body
    assert body.endswith("\n\n</details>")


def test_adf_marks_foreign_text_as_code_and_nothing_else() -> None:
    line = (
        Strong("Added"),
        " ",
        Item("PAY-1", "Fix [~ada]", "https://jira.example/browse/PAY-1"),
        ", owner ",
        Foreign("@a"),
    )
    document = json.loads(render(paragraph(*line), Markup.ADF, WIDE))
    nodes = document["content"][0]["content"]
    link = {"type": "link", "attrs": {"href": "https://jira.example/browse/PAY-1"}}
    assert [(node["text"], node.get("marks", [])) for node in nodes] == [
        ("Added", [{"type": "strong"}]),
        (" ", []),
        ("PAY-1", [{"type": "code"}, link]),
        (" ", []),
        ("Fix [~ada]", [{"type": "code"}]),
        (", owner ", []),
        ("@a", [{"type": "code"}]),
    ]


def test_wiki_escapes_everything_that_its_renderer_could_act_on() -> None:
    body = render(paragraph("by ", Foreign("[~ada] {code} !x!"), " (2 days)"), Markup.WIKI, WIDE)
    assert body == "by {{&#91;&#126;ada&#93; &#123;code&#125; &#33;x&#33;}} &#40;2 days&#41;\n"


def test_a_quotation_in_every_markup() -> None:
    quote = Quote(((Foreign("cleo"), ", 27 Nov: ", Foreign("{quote} > it's back")), ("second",)))
    document = Document((Section(title="", blocks=(quote,), weight=1),))
    assert render(document, Markup.GITHUB, WIDE) == "> `cleo`, 27 Nov: `{quote} > it's back`  \n> second"
    (node,) = json.loads(render(document, Markup.ADF, WIDE))["content"]
    assert (node["type"], [child["type"] for child in node["content"]]) == ("blockquote", ["paragraph"])
    literal = "{{cleo}}, 27 Nov: {{&#123;quote&#125; &#62; it&#39;s back}}"
    assert render(document, Markup.WIKI, WIDE) == f"{{quote}}\n{literal}\nsecond\n{{quote}}\n"
    assert html(document).count("<blockquote><p>") == 1
    assert terminal(document) == "> cleo, 27 Nov: {quote} > it's back\n> second"
    assert text_message(document) == "> cleo, 27 Nov: ｛quote｝ › it's back\n> second"
    assert html_message(document).startswith("<blockquote><p><bdi>cleo</bdi>, 27 Nov: ")


@pytest.mark.parametrize("kind", get_args(Block))
def test_a_message_leaves_no_block_out_in_silence(kind: type[Any]) -> None:
    made: dict[type[Any], Block] = {
        Lines: Lines((("said",),)),
        Quote: Quote((("said",),)),
        Bullets: Bullets((("said",),)),
        Table: Table(("said",), ()),
        Chart: Chart("said", (), (), ()),
    }
    block = made[kind]
    document = Document((Section(title="", blocks=(block,), weight=1),))
    for write in (text_message, html_message):
        if kind in (Lines, Quote):
            assert "said" in write(document)
        else:
            with pytest.raises(TypeError, match=kind.__name__):
                write(document)


@pytest.mark.parametrize("markup", list(Markup))
def test_a_long_foreign_text_is_cut_at_its_own_limit(markup: Markup) -> None:
    document = paragraph(Foreign("Ж" * 300), " ", Foreign("Щ" * 300, 280))
    for body in (render(document, markup, WIDE), html(document), terminal(document, 1_000), text_message(document)):
        assert (body.count("Ж"), body.count("Щ")) == (99, 279)


def test_html_escapes_and_isolates() -> None:
    body = html(paragraph(Foreign("<b>שלום</b>")))
    assert "<bdi><code>&lt;b&gt;שלום&lt;/b&gt;</code></bdi>" in body


def test_terminal_wraps_and_lines_up() -> None:
    table = Table(("Date", "Done"), (("1 Oct", "10"), ("12 Oct", "9")))
    lines: tuple[Line, ...] = (("word " * 12,),)
    text = terminal(Document((Section(title="Why", blocks=(Bullets(lines), table), weight=1),)), width=30)
    assert text.splitlines()[:4] == ["Why", "---", "- word word word word word", "  word word word word word"]
    assert text.endswith("Date    Done\n1 Oct   10\n12 Oct  9")


def test_no_two_statuses_look_alike() -> None:
    assert set(SIGNS) == set(Status)
    assert len(set(SIGNS.values())) == len(Status)
    wiki = {render(paragraph(Sign(status)), Markup.WIKI, WIDE) for status in Status}
    assert len(wiki) == len(Status)


def sections(*weights: int) -> Document:
    return Document(
        tuple(
            Section(title=f"Part {i}", blocks=(Lines((("words " * 60,),)),), weight=weight, folded=i > 0)
            for i, weight in enumerate(weights)
        )
    )


@pytest.mark.parametrize("markup", list(Markup))
def test_the_lightest_part_goes_first_and_the_body_says_so(markup: Markup) -> None:
    body = render(sections(100, 10, 50, 20), markup, 1_150)
    assert len(body) <= 1_150
    assert "Part 0" in body
    assert "Part 2" in body
    assert "Part 1" not in body
    assert "left out" in body
    assert "left out" not in render(sections(100, 10), markup, 10_000)


@pytest.mark.parametrize("markup", list(Markup))
def test_the_last_part_loses_its_last_lines(markup: Markup) -> None:
    lines: tuple[Line, ...] = tuple((Foreign(f"line {i} " + "~" * 80),) for i in range(40))
    body = render(Document((Section(title="List", blocks=(Bullets(lines),), weight=1),)), markup, 1_500)
    assert len(body) <= 1_500
    assert "line 0" in body
    assert "line 39" not in body
    assert "left out" in body


def test_length_counts_as_the_strictest_tracker_does() -> None:
    lines: tuple[Line, ...] = tuple((Foreign("🎉" * 90),) for _ in range(40))
    body = render(Document((Section(title="", blocks=(Bullets(lines),), weight=1),)), Markup.GITHUB, 2_000)
    assert len(body.encode("utf-16-le")) <= 2 * 2_000


def test_a_limit_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match=f"limit 499 is under {MIN_LIMIT}"):
        render(sections(1), Markup.GITHUB, MIN_LIMIT - 1)


PAGE = "https://acme.example/health/m/0123456789ab.html"


def test_a_link_to_our_own_page_in_every_markup() -> None:
    there = Link("burn-up and history", PAGE)
    assert github(there) == f"[burn-up and history]({PAGE})"
    assert f"|{PAGE}]" in render(paragraph(there), Markup.WIKI, WIDE)
    assert {"type": "link", "attrs": {"href": PAGE}} in json.loads(render(paragraph(there), Markup.ADF, WIDE))[
        "content"
    ][0]["content"][0]["marks"]
    assert f'<a href="{PAGE}">burn-up and history</a>' in html(paragraph(there))
    assert f"burn-up and history ({PAGE})" in terminal(paragraph(there))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x/)[y](z", "https://x|y", "", "https://x/?a=b"])
def test_an_address_that_a_markup_could_misread_leaves_only_words(url: str) -> None:
    for markup in Markup:
        body = render(paragraph(Link("more", url)), markup, WIDE)
        assert "link" not in body
        assert "](" not in body
        assert "|" not in body
    assert "<a" not in html(paragraph(Link("more", url)))


@pytest.mark.parametrize("markup", list(Markup))
def test_a_link_to_no_address_of_the_web_is_words_also_at_the_start_of_a_line(markup: Markup) -> None:
    shown = [
        render(paragraph(part, " and more"), markup, WIDE)
        for part in (Link("    words", "javascript:alert(1)"), "    words")
    ]
    assert shown[0] == shown[1]


def section_of(lines: int, weight: int) -> Section:
    """Return a folded section with a heading and so many lines."""
    return Section(title=f"Part {weight}", blocks=(Bullets((("a line",),) * lines),), weight=weight, folded=True)


def test_a_markup_that_cannot_fold_shows_the_heaviest_sections_that_fit() -> None:
    head = Section(title="Head", blocks=(Lines((("first",),)),), weight=100)
    sections = (head, section_of(19, 80), section_of(7, 70), section_of(6, 60))
    said = render(Document(sections), Markup.WIKI, 32_000)
    assert [part for part in ("Part 80", "Part 70", "Part 60") if part in said] == ["Part 80", "Part 60"]
    assert len([line for line in said.splitlines() if line.strip()]) == UNFOLDED
    assert "Details are left out" in said
    assert "Details are left out" not in render(Document(sections[:3]), Markup.WIKI, 32_000)


def test_an_id_is_never_cut() -> None:
    """It goes into the next command; only what is unsafe in it changes."""
    written = f"gl:acme/api%{'<!--' * 3}\n{'v' * 300}"
    assert clean_id(written) == f"gl:acme/api%{'<! --' * 3} {'v' * 300}"
