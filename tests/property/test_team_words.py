"""The team's words: any text is read, and its values are quiet lines that our own block does not change."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from sync.model.characters import JOINERS
from sync.model.team_words import TeamWords
from sync.tracker.managed_block import wrap_block
from sync.tracker.team_words import MAX_OWNER_LENGTH, MAX_TEXT_LENGTH, MAX_VALUES, team_words

PARTS = (
    *("Owner:", "**Owner:**", "Start:", "Tolerance:", "Risk:", "## Risks", "Decision needed:", "Entscheidung nötig:"),
    *(
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "\n- ",
        "\n- [ ] ",
        "\n- [x] ",
        "\n  ",
        "\n> ",
        "\n1. ",
        "\t",
        " ",
        " by ",
        " from ",
        " von ",
    ),
    *("2026-12-01", "2026-13-01", "31.12.2026", "12/01", "10 %", "99%", "@ada", "[~ada]", "[x](y)", "none", "tbd"),
    *(
        "```",
        "~~~",
        "~~",
        "<!--",
        "-->",
        "{code}",
        "**",
        "`",
        '"',
        "„",
        "“",
        "—",
        "：",
        "<!-- milesync a 0123456789abcdef -->",
    ),
    *(
        "<!-- end of milesync a -->",
        "\u202e",
        "\u2066",
        "\u200f",
        "\x1b]52;c;x\x07",
        "\x9b2J",
        "\x00",
        "\u2028",
        "\x85",
        "\x0b",
    ),
    *("\ud800", "\U000e0041", "\ufeff", "o\u0308", "תשלום", "دفع", "支払い"),
)
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=8), max_size=40).map("".join)


def foreign_texts(words: TeamWords) -> list[str]:
    of_decisions = [text for decision in words.decisions for text in (decision.text, decision.owner)]
    return [*words.owners, *words.risks, *filter(None, of_decisions)]


@given(text=texts | st.text())
def test_any_text_is_read_and_every_value_is_one_quiet_line(text: str) -> None:
    words = team_words(text)
    for value in foreign_texts(words):
        assert value
        assert value == " ".join(value.split())
        for character in value:
            assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}, hex(ord(character))
            assert unicodedata.category(character) != "Cf" or character in JOINERS
    assert all(len(owner) <= MAX_OWNER_LENGTH for owner in words.owners)
    assert all(len(value) <= MAX_TEXT_LENGTH for value in foreign_texts(words))
    assert max(map(len, (words.owners, words.risks, words.decisions, words.faults))) <= MAX_VALUES
    assert words.tolerance is None or 0 <= words.tolerance <= 0.2
    lines = len(re.split(r"\r\n|\r|\n", text))
    assert all(1 <= fault.line <= lines for fault in words.faults)
    days = [decision.by or date.max for decision in words.decisions]
    assert days == sorted(days)


@given(
    text=texts.filter(lambda text: "milesync" not in text),
    lines=texts.filter(lambda text: "milesync" not in text and "\ud800" not in text),
)
def test_our_block_at_the_end_changes_nothing(text: str, lines: str) -> None:
    assert team_words(f"{text}\n{wrap_block(lines, 'uid', 'acme', plain=False)}") == team_words(f"{text}\n")
