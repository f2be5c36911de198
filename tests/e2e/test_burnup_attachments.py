"""The burn-up as a picture on Jira's status issues, through the command line and both of Jira's APIs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, File, Project
from tests.e2e.in_process import Done, milesync

DIALECTS = ("jira", "jira-cloud")
NAMES = {"jira": "jira", "jira-cloud": "cloud"}


class There:
    """One Jira with a running version, and a configuration that asks for a picture of it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.world = World()
        self.tracker: Tracker = getattr(self.world, NAMES[kind])
        self.project: Project = self.tracker.project("PAY", "Payments", created=self.now - timedelta(days=200))
        self.config = folder / "milesync.toml"
        self.fill()

    def fill(self) -> None:
        author = self.tracker.user("ada", "Ada Fox")
        for n in range(6):
            begin = self.now - timedelta(days=165 - 30 * n)
            version = self.tracker.milestone(self.project, f"v{n}", at=begin, due=(begin + timedelta(days=30)).date())
            for k in range(8):
                issue = self.tracker.issue(self.project, f"Task {k} of v{n}", author, at=begin)
                self.tracker.move(self.project, issue, [version.id], author, begin)
                if n < 5 or k < 4:
                    done = begin + timedelta(days=2 * k + 1)
                    self.tracker.close(issue, author, done, resolution="completed")
            if n < 5:
                self.tracker.close_milestone(self.project, version, begin + timedelta(days=29))

    def configure(self, *more: str) -> None:
        name = "jira" if self.tracker.kind == "jira" else "cloud"
        text = configuration(self.world)
        assert f"[connections.{name}]" in text
        lines = "\n".join(more)
        self.config.write_text(f"{text}\n[connections.{name}.optional_outputs]\n{lines}\n")

    def command(self, *words: str) -> Done:
        return milesync(*words, "--config", str(self.config))

    def run(self, *more: str) -> dict[str, Any]:
        done = self.command("run", "--json", *more)
        assert done.code == 0, done.err
        found: dict[str, Any] = done.document
        return found

    @property
    def files(self) -> list[File]:
        return [file for issue in self.project.issues.values() for file in issue.files]

    def age(self, file: File) -> None:
        """Let a file be a day older, and the status issue be looked at again."""
        file.created -= timedelta(days=1)
        issue = next(item for item in self.project.issues.values() if file in item.files)
        self.tracker.comment(issue, self.tracker.user("ada"), "I see.")

    def finish_one(self) -> None:
        """A person finishes an issue of the running version."""
        issue = next(item for item in self.project.issues.values() if item.closed is None and item.milestones)
        self.tracker.close(issue, self.tracker.user("ada"))


@pytest.fixture(params=DIALECTS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[There]:
    made = There(request.param, tmp_path)
    with Sandbox(made.world, only=(request.param,)):
        made.configure("picture = true")
        made.run("--first-run")
        yield made


def test_it_comes_stays_gives_way_to_the_next_and_goes(there: There) -> None:
    assert there.files == []
    assert "+ our picture of the burn-up on PAY-" in there.command("plan").out
    told = there.run()
    assert (told["writes"]["applied"], told["notifications"]) == (1, 1)
    (first,) = there.files
    with Image.open(io.BytesIO(first.content)) as picture:
        assert (picture.format, picture.width > 1_000) == ("PNG", True)
    assert first.name.startswith("milesync-burn-up-sandbox-")
    assert there.run()["writes"] == {"planned": 0, "applied": 0, "skipped": 0}
    there.finish_one()
    there.run()
    assert there.files == [first], "once a day at most"
    there.age(first)
    told = there.run()
    assert (told["writes"]["applied"], told["notifications"]) == (2, 2)
    (second,) = there.files
    assert second.name != first.name
    assert there.run()["writes"]["planned"] == 0
    theirs = there.tracker.attach(there.project.issues[1], second.name, b"", there.tracker.user("ada"))
    done = there.command("retire", "--yes", "--json")
    assert done.code == 0, done.err
    assert there.files == [theirs]


def test_a_lost_answer_leaves_one_and_what_a_person_deletes_stays_away(there: There) -> None:
    there.tracker.faults.append(Fault("drop", match="/attachments", times=1))
    there.run()
    assert len(there.files) == 1
    assert there.run()["writes"]["planned"] == 0
    issue = next(item for item in there.project.issues.values() if item.files)
    there.tracker.detach(issue, issue.files[0], there.tracker.user("ada"))
    there.finish_one()
    there.run()
    assert there.files == []


def test_where_jira_takes_no_attachments_that_is_said_and_everything_else_is_written(there: There) -> None:
    there.tracker.attaching = False
    there.finish_one()
    told = there.run()
    assert (told["errors"], there.files) == ([], [])
    assert told["writes"]["skipped"] == 1
    assert "attachments are switched off in Jira" in there.command("plan").out
    assert "attachments are switched off in Jira" in there.command("doctor").out
    there.tracker.attaching, there.project.denied = True, {"CREATE_ATTACHMENTS"}
    assert "lacks the permission Create Attachments in PAY" in there.command("plan").out
    there.project.denied = set()
    there.run()
    assert len(there.files) == 1
    there.configure("picture = false")
    there.run()
    assert there.files == []
