"""With any text of trackers, no body of ours mentions, refers, links, draws, commands or breaks."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.markup import MIN_LIMIT, render
from sync.markup.document import (
    Block,
    Bullets,
    Chart,
    Document,
    Foreign,
    Inline,
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
    is_ours,
)
from sync.markup.html import html
from sync.markup.terminal import terminal
from sync.model.health import Status
from sync.model.tracker_data import Markup
from sync.report.summary import status_issue_body, status_issue_title, summary, transition
from tests.golden.situations import issue, milestone
from tests.proof import TIMEOUT, Record, full, tried
from tests.property import hostile_text

PARTS = full(4, 1)
CASES = full(5_000, 200)
"""In each part."""
WIDE = 10_000_000
pytestmark = TIMEOUT
parts = pytest.mark.parametrize("part", range(PARTS))

words = st.lists(st.sampled_from(hostile_text.PARTS), min_size=1, max_size=6).map("".join)
texts = st.one_of(words, st.text(max_size=30))
urls = st.one_of(
    texts, st.just("https://github.com/acme/app/issues/9"), texts.map("https://github.com/a/b/pull/1".__add__)
)
inlines: st.SearchStrategy[Inline] = st.one_of(
    texts,
    texts.map(Strong),
    texts.map(Foreign),
    st.builds(Foreign, texts, st.just(280)),
    st.builds(Item, texts, texts, urls),
    st.builds(Link, texts.filter(str.strip), st.sampled_from((hostile_text.PAGE, "javascript:alert(1)", "a)"))),
    st.sampled_from(Status).map(Sign),
)
lines: st.SearchStrategy[Line] = st.lists(inlines, min_size=1, max_size=5).map(tuple)
several = st.lists(lines, min_size=1, max_size=4).map(tuple)
tables = st.integers(1, 3).flatmap(
    lambda n: st.builds(Table, st.tuples(*[texts] * n), st.lists(st.tuples(*[texts] * n), max_size=3).map(tuple))
)
charts = st.lists(st.tuples(texts, st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=4).flatmap(
    lambda rows: st.builds(Chart, texts, *(st.just(column) for column in zip(*rows, strict=True)), texts)
)
blocks: st.SearchStrategy[Block] = st.one_of(
    several.map(Lines), several.map(Quote), st.builds(Bullets, several, st.booleans()), tables, charts
)
sections = st.builds(
    Section,
    title=st.one_of(texts, st.just("What changed"), st.just("")),
    blocks=st.lists(blocks, min_size=1, max_size=3).map(tuple),
    weight=st.integers(0, 100),
    folded=st.booleans(),
    sign=st.one_of(st.none(), st.sampled_from(Status)),
)
documents = st.lists(sections, min_size=1, max_size=4).map(tuple).map(Document)


@pytest.mark.proof
@parts
def test_markdown_is_quiet_for_any_document(part: int, record_property: Record) -> None:
    def quiet(document: Document) -> None:
        for markup, links in ((Markup.GITHUB, True), (Markup.GITLAB, False)):
            codes = hostile_text.assert_markdown_is_quiet(render(document, markup, WIDE), links=links)
            assert set(hostile_text.foreign_texts(document)) <= set(codes)

    record_property("documents", tried(quiet, documents, cases=CASES, part=part))


@pytest.mark.proof
@parts
def test_adf_holds_only_our_nodes(part: int, record_property: Record) -> None:
    def quiet(document: Document) -> None:
        codes = hostile_text.assert_adf_is_quiet(render(document, Markup.ADF, WIDE))
        assert set(hostile_text.foreign_texts(document)) <= set(codes)

    record_property("documents", tried(quiet, documents, cases=CASES // 4, part=part))


@pytest.mark.proof
@parts
def test_wiki_holds_only_our_signs(part: int, record_property: Record) -> None:
    def quiet(document: Document) -> None:
        codes = hostile_text.assert_wiki_is_quiet(render(document, Markup.WIKI, WIDE))
        assert set(hostile_text.foreign_texts(document)) <= set(codes)

    record_property("documents", tried(quiet, documents.map(_open), cases=CASES // 4, part=part))


def _open(document: Document) -> Document:
    """Open every section: wiki markup cannot fold, so it leaves out folded sections that are too much to read."""
    return Document(tuple(replace(section, folded=False) for section in document.sections))


@pytest.mark.proof
@parts
def test_terminal_and_html_are_quiet(part: int, record_property: Record) -> None:
    def quiet(document: Document) -> None:
        shown = terminal(document)
        hostile_text.assert_no_control(shown)
        tags: list[str] = []

        class Reader(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                assert not attrs or (tag, attrs) == ("a", [("href", hostile_text.PAGE)])
                tags.append(tag)

            def handle_comment(self, data: str) -> None:
                raise AssertionError(data)

        Reader().feed(html(document))
        ours = {"section", "h3", "h4", "p", "br", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
        ours |= {"blockquote"}
        assert set(tags) <= ours | {"a", "bdi", "code", "strong", "details", "summary"}

    record_property("documents", tried(quiet, documents, cases=CASES // 4, part=part))


@pytest.mark.proof
@parts
def test_a_body_under_its_limit_is_still_whole(part: int, record_property: Record) -> None:
    def whole(document: Document, limit: int) -> None:
        for markup in Markup:
            body = render(document, markup, limit)
            assert len(body.encode("utf-16-le")) // 2 <= limit
            match markup:
                case Markup.ADF:
                    hostile_text.assert_adf_is_quiet(body)
                case Markup.WIKI:
                    hostile_text.assert_wiki_is_quiet(body)
                case _:
                    hostile_text.assert_markdown_is_quiet(body, links=markup is Markup.GITHUB)

    record_property("documents", tried(whole, documents, st.integers(MIN_LIMIT, 4_000), cases=CASES // 4, part=part))


@given(st.text(), st.text())
def test_cleaned_text_is_one_quiet_line_and_stays_as_it_is(name: str, two: str) -> None:
    shown = clean(name + two)
    assert clean(shown) == shown
    hostile_text.assert_lines_are_quiet("x" + shown)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=90))
def test_cleaning_keeps_what_can_be_seen(text: str) -> None:
    assert clean(text).replace("<! --", "<!--") == text


@pytest.mark.proof
@parts
def test_a_summary_of_attacked_trackers_is_quiet(part: int, record_property: Record) -> None:
    random = Random(20261122 + part)
    for _ in range(CASES // 4):
        facts = hostile_text.attacked(random)
        pages = (hostile_text.PAGE, facts.milestone.url)
        for document in (
            summary(facts),
            transition(facts, random.choice(list(Status))),
            status_issue_body(facts.milestone, facts.project),
        ):
            for markup, links in ((Markup.GITHUB, True), (Markup.GITLAB, False)):
                codes = hostile_text.assert_markdown_is_quiet(
                    render(document, markup, 65_000), links=links, pages=pages
                )
                assert set(hostile_text.foreign_texts(document)) <= set(codes)
            hostile_text.assert_adf_is_quiet(render(document, Markup.ADF, 30_000))
            hostile_text.assert_wiki_is_quiet(render(document, Markup.WIKI, 30_000), pages=pages)
            assert len(render(document, Markup.ADF, 30_000)) <= 30_000
    record_property("summaries", CASES // 4)


@given(texts)
def test_the_title_of_a_status_issue_is_quiet(title: str) -> None:
    shown = status_issue_title(milestone(title))
    hostile_text.assert_lines_are_quiet(shown)
    assert len(shown) <= 200
    assert not any(sign in shown.replace(f"{sign} ", "").rstrip(sign) for sign in "@#!~%")


@pytest.mark.parametrize("text", hostile_text.PARTS)
def test_no_hostile_part_passes_for_our_own_words(text: str) -> None:
    if is_ours(text):
        body = render(Document((Section(title="", blocks=(Lines(((text or "x",),)),), weight=1),)), Markup.GITHUB, WIDE)
        hostile_text.assert_markdown_is_quiet(body, links=False)


def test_the_checks_find_what_they_look_for() -> None:
    for body in ("hello @ada", "see #1", "![x](y)", "<b>x</b>", "[x](https://github.com/a/b/issues/1)", "a\n/close"):
        with pytest.raises(AssertionError):
            hostile_text.assert_markdown_is_quiet(body, links=True)
    with pytest.raises(AssertionError):
        hostile_text.assert_wiki_is_quiet("hello [~ada]")
    with pytest.raises(KeyError):
        hostile_text.assert_adf_is_quiet(json.dumps({"type": "doc", "version": 1, "content": [{"type": "mention"}]}))


def test_an_item_on_github_keeps_its_way_there() -> None:
    item = issue(12)
    line: Line = (Item("#12", item.title, item.url),)
    body = render(Document((Section(title="", blocks=(Lines((line,)),), weight=1),)), Markup.GITHUB, WIDE)
    assert body == f"[`#12`](https://redirect.github.com/acme/app/issues/12) `{item.title}`"
