"""Slash commands: no text of a comment breaks the parser."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from sync.tracker.observed import CommandComment
from sync.tracker.slash_commands import command_lines, evaluate_commands, parse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@given(st.text() | st.text(alphabet="/milesync at-risk until because 2026-05\n`~<!->\t"))
def test_no_text_breaks_the_parser(text: str) -> None:
    for line in command_lines(text).splitlines():
        assert line.startswith("/milesync")
        parse(line)
    comment = CommandComment(id="1", author="ada", name="Ada", may_write=True, at=NOW, text=command_lines(text))
    evaluate_commands([comment], NOW)
