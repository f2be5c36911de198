"""The managed block of a description: text outside of the block never changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.tracker.managed_block import find_block, replace_block, wrap_block

UID = "memory://tracker/milestone/p1-m"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(before=texts, after=texts, plain=st.booleans(), crlf=st.booleans())
def test_what_people_wrote_around_our_lines_never_changes(before: str, after: str, plain: bool, crlf: bool) -> None:
    lines = wrap_block("At risk\nsoon", UID, "acme", plain=plain)
    text = replace_block(before, lines, "acme", "")
    assert text.startswith(before)
    text = text.replace("\n", "\r\n") if crlf else text
    line_end = "\r\n" if crlf else "\n"
    whole = f"{text}{line_end}{after}"
    there = find_block(whole, "acme")
    assert there is not None
    assert not there.is_edited(UID)
    assert there.is_edited("another milestone")
    other = replace_block(whole, wrap_block("Done", UID, "acme", plain=plain), "acme", there.mark)
    assert other.startswith(whole[: there.start])
    assert other.endswith(whole[there.end :])
    gone = replace_block(whole, "", "acme", there.mark)
    assert gone == whole[: there.start].rstrip("\r\n") + whole[there.end :]
