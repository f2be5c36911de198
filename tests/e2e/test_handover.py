"""`adopt` and `retire` through the command line: they look first, write with ``--yes``, and say what came of it.

On GitLab, whose writes need not wait for one another; how the dialects differ is for the contract tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.world import Tracker
from tests.e2e.in_process import milesync
from tests.e2e.small_world import ours, served
from tests.e2e.subprocesses import only_these


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Tracker, Path]]:
    with served(tmp_path) as (world, config):
        config.write_text(only_these(config.read_text(), ["gl"]))
        yield world.gitlab, config


def changes_token(tracker: Tracker, config: Path) -> None:
    """Another account, and the database is lost too."""
    tracker.bot.bot = False
    tracker.bot = tracker.user("new-bot", "New Bot", bot=True)
    for file in config.parent.glob("milesync.db*"):
        file.unlink()


def test_from_a_change_of_token_to_removing_everything(there: tuple[Tracker, Path]) -> None:
    tracker, config = there
    at = ("--config", str(config))
    first = milesync("run", "--first-run", "--json", *at)
    assert first.code == 0, first.err
    assert first.document["notifications"] == 2, "the issue and the summary"
    assert set(first.document["people"].values()) == {0}

    changes_token(tracker, config)
    held = milesync("run", "--first-run", "--json", *at)
    assert held.document["writes"] == {"planned": 0, "applied": 0, "skipped": 1}
    assert "milesync adopt" in milesync("plan", *at).out

    looked = milesync("adopt", "--json", *at)
    assert (looked.code, looked.document["done"]) == (2, False)
    assert [(row["account"], row["what"]) for row in looked.document["found"]] == [
        ("milesync-bot", "status issue"),
        ("milesync-bot", "summary"),
    ]
    assert ours(tracker) == []
    done = milesync("adopt", "--yes", "--json", *at)
    assert done.code == 0, done.err
    assert len(ours(tracker)) == 1
    assert ["HTTP 403" in note for note in done.document["left"]] == [True], "the former comment is not ours to delete"
    assert milesync("run", "--json", *at).document["writes"]["planned"] == 0

    looked = milesync("retire", *at)
    assert looked.code == 2
    assert "Run again with --yes" in looked.out
    assert len(ours(tracker)) == 1
    stopped = milesync("retire", "--yes", "--json", *at, env={"MILESYNC_POLICY": "plan"})
    assert stopped.document["written"] == []
    assert len(ours(tracker)) == 1
    done = milesync("retire", "--yes", "--json", *at)
    assert (done.code, done.document["left"]) == (0, []), done.err
    assert ours(tracker) == []
    issue = max((i for p in tracker.projects.values() for i in p.issues.values()), key=lambda i: i.number)
    assert issue.closed is not None
    assert issue.labels == ["milestone-status"]
    assert milesync("retire", *at).code == 0
    assert milesync("run", "--json", *at).document["writes"]["planned"] == 0


def test_after_retire_a_run_says_what_mutes_it_and_a_reopened_issue_is_written_again(
    there: tuple[Tracker, Path],
) -> None:
    tracker, config = there
    at = ("--config", str(config))
    assert milesync("run", "--first-run", *at).code == 0
    assert milesync("retire", "--yes", *at).code == 0
    for database in ("kept", "new"):
        if database == "new":
            for file in config.parent.glob("milesync.db*"):
                file.unlink()
        again = milesync("run", "--first-run", *at)
        assert again.code == 0, again.err
        assert "1 milestone muted by a command or a closed status issue" in " ".join(again.out.split()), database
        assert ours(tracker) == [], database
    issue = next(i for i in tracker.projects["acme/api"].issues.values() if "milestone-status" in i.labels)
    tracker.reopen(issue, tracker.user("ada"))
    back = milesync("run", *at)
    assert "muted" not in back.out
    assert len(ours(tracker)) == 1


def test_a_reopened_issue_is_written_again_with_the_database_of_before(there: tuple[Tracker, Path]) -> None:
    tracker, config = there
    at = ("--config", str(config))
    assert milesync("run", "--first-run", *at).code == 0
    assert milesync("retire", "--yes", *at).code == 0
    issue = next(i for i in tracker.projects["acme/api"].issues.values() if "milestone-status" in i.labels)
    tracker.reopen(issue, tracker.user("ada"))
    assert milesync("run", *at).code == 0
    assert len(ours(tracker)) == 1


def test_a_person_says_whose_it_was_and_the_limits_hold(there: tuple[Tracker, Path]) -> None:
    tracker, config = there
    at = ("--config", str(config))
    assert milesync("run", "--first-run", *at).code == 0
    (copy,) = (c for i in tracker.projects["acme/api"].issues.values() for c in i.comments)
    copy.author = tracker.user("eve")
    changes_token(tracker, config)
    assert milesync("pull", *at).code == 0
    unsaid = milesync("adopt", "--yes", *at)
    assert unsaid.code == 1
    assert "name the former account with --from" in unsaid.err
    assert milesync("adopt", "--from", "milesync-bot", "--yes", *at).code == 0
    assert len(ours(tracker)) == 1
    assert copy in next(i for i in tracker.projects["acme/api"].issues.values() if i.comments).comments

    config.write_text(config.read_text() + "\n[limits]\ndeletes = 0\n")
    over = milesync("retire", "--yes", "--json", *at)
    assert over.code == 4
    assert "deletes planned, 0 allowed" in over.err
    assert over.document["written"] == []
