"""Private data change no byte of the public report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sync.cli import output
from sync.model.audience import Audience
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Visibility
from sync.tracker.protocol import Page
from tests.sample_site import contents, installation, project, series

build: Any = pytest.importorskip("sync.site.build", reason="no Jinja2 or Vega-Lite here: the extra `site`").build

JOINT = JointMilestone(name="hush, together", members=("gh:acme/app#9", "gl:acme/vault#3"), owner="Ada Fox")
WAITS = (("gl:acme/vault#3", "gh:acme/app#9"),)


def with_confidential(page: Page, n: int) -> Page:
    """The page with issues in its running milestones that only few may read."""
    first = page.issues[-1]
    hidden = tuple(
        replace(first, id=f"hidden-{n}-{k}", title=f"hush {n}-{k}", visibility=Visibility.CONFIDENTIAL)
        for k in range(1 + n)
    )
    return replace(page, issues=(*page.issues, *hidden))


def report(folder: Path, n: int, *, stale: bool = False) -> dict[str, bytes]:
    secret = project("acme/vault", visibility=Visibility.PROJECT)
    titles = tuple(f"hush {n}-{k}" for k in range(1 + n))
    held: dict[str, Sequence[Page]] = {
        "gh": [with_confidential(series(project("acme/app"), running=2), n)],
        "gl": [series(secret, earlier=2 + 3 * n, running=1 + n, seed=n, titles=titles, work=(f"hush {n}",))],
    }
    with installation(held, joints=(JOINT,), dependencies=WAITS, stale="gl" if stale else "") as engine:
        made = contents(engine, Audience("public"))
        whole = contents(engine)
    assert any("hush" in row.title for row in whole.rows)
    build(made, folder, msgspec.json.encode({"milestones": output.milestone_rows(made.assessed, made.joints)}))
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_is_private_changes_no_byte_of_the_public_report(tmp_path: Path) -> None:
    first = report(tmp_path / "0", 0)
    assert sum(name.startswith("m/") for name in first) >= 4
    assert not [name for name, body in first.items() if b"hush" in body or b"vault" in body]
    assert report(tmp_path / "1", 1) == first
    assert report(tmp_path / "2", 2, stale=True) == first
