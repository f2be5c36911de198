"""The demo as a person sees it: one story, in one screen."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.subprocesses import milesync

SCREEN = 60
"""Lines of a tall terminal."""


def test_the_demo_tells_the_story_of_a_commitment_in_one_screen(tmp_path: Path) -> None:
    done = milesync("demo", env={"COLUMNS": "100"}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) <= SCREEN
    story = [
        "Checkout GA",
        r"gh:acme/shop#\d+ Shop 2.0",
        "gh:acme/shop/iteration:Iteration 8",
        "gl:acme/payments%Payments 2.0",
        "Decision overdue, was needed by",
        "jira:SHOP/Mobile 2.0",
        "jira:SHOP/sprint:Sprint 12",
        r"jira:SHOP/epic:SHOP-\d+ Vouchers",
        "joint:Checkout GA",
        r"Off track: \d%",
        r"comment begins(?s:.*)Decision overdue(?s:.*)Best option: move the due date",
        "It decides: late additions out, and the date 35 days later",
        "was off track: Payments 2.0",
        r"Done on .* days early",
        r"moved once, 35 days later\. \d+ h\s+spent of \d+ h estimated, \d+% under the estimate",
        "wrote nothing",
    ]
    assert [words for words in story if not re.search(words, done.stdout)] == [], done.stdout
    assert list(tmp_path.iterdir()) == [], "the demo leaves nothing behind"
