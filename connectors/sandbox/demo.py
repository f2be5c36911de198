"""Command ``demo``: a commitment of three teams, from behind schedule and over budget to its closing comment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from connectors.sandbox.demo_story import DAYS_LATER, JOINT, DemoStory
from connectors.sandbox.serving import GENERATED, TOKENS, configuration, served
from connectors.sandbox.world import World
from sync import signals

__all__ = ["play"]


def play(*, as_json: bool) -> int:
    """Run the story and print it, or one JSON document. Return the exit code."""
    console, err = Console(), Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="milesync-demo-") as folder,
        signals.on_stop(lambda _: shutil.rmtree(folder, ignore_errors=True)),
    ):
        _say(err, "Starting three trackers on loopback")
        world = World()
        story = DemoStory(world)
        with served(world, {}):
            tables = f"{configuration(world, settings=story.settings)}\n{story.configuration()}"
            Path(folder, "milesync.toml").write_text(tables, encoding="utf-8")
            scenes = list(_play(world, story, folder, err, as_json=as_json))
    first, second = scenes[:2]
    is_still = not second.writes
    if as_json:
        runs = {"first_run": json.loads(first.output), "second_run": json.loads(second.output)}
        typer.echo(json.dumps({"trackers": ["github", "gitlab", "jira"], **runs}))
    else:
        for part in _screen(scenes, is_still=is_still):
            console.print(part)
    return 0 if is_still and not any(scene.code for scene in scenes) else 1


# --- the runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    """A run: its output and exit code, its number of requests and writes, and the new comments of the payments team.

    ``summary`` is the text of the summary comment after it.
    """

    output: str
    code: int
    requests: int
    writes: int
    summary: str
    comments: Sequence[str] = field(default_factory=tuple)


def _play(world: World, story: DemoStory, folder: str, err: Console, *, as_json: bool) -> Iterator[_Scene]:
    """Yield the runs of the story. With ``as_json`` their output is a JSON document."""
    options = ["--json"] if as_json else []
    for words, act, more in (
        ("First run: pull, assess, plan, apply", None, ["--first-run"]),
        ("Second run: nothing has changed", None, []),
        ("The payments team plans again; third run", story.replan, []),
        ("It finishes; last run", story.finish, []),
    ):
        _say(err, words)
        if act is not None:
            act()
        asked, wrote, known = _requests(world), _writes(world), len(_comments(story))
        output, code = _milesync(folder, "run", *more, *options, shown=err)
        comments = _comments(story)
        yield _Scene(
            output=output,
            code=code,
            requests=_requests(world) - asked,
            writes=_writes(world) - wrote,
            summary=comments[0] if comments else "",
            comments=comments[known:],
        )


def _requests(world: World) -> int:
    return sum(len(tracker.log) for tracker in world.trackers)


def _writes(world: World) -> int:
    return sum(len(tracker.writes) for tracker in world.trackers)


def _comments(story: DemoStory) -> list[str]:
    """Return our comments on the payments team's milestone, the summary first, as people read them."""
    tracker, project = story.payments.tracker, story.payments.project
    comments = [comment for issue in project.issues.values() for comment in issue.comments]
    ours = sorted((comment.id, str(comment.body)) for comment in comments if comment.author is tracker.bot)
    return [body.partition("<!-- milesync")[0].strip() for _, body in ours]


def _say(console: Console, words: str) -> None:
    console.print(Text("› ", style="cyan") + Text(words))


def _milesync(folder: str, *words: str, shown: Console) -> tuple[str, int]:
    """Run the real command line in its own process; return its output and its exit code."""
    command = [sys.executable, "-m", "milesync", *words, "--config", str(Path(folder, "milesync.toml"))]
    environment = {**os.environ, **TOKENS, "COLUMNS": str(Console().width)}
    environment.pop("MILESYNC_POLICY", None)
    if Console().is_terminal and "--json" not in words:
        environment["FORCE_COLOR"] = "1"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        shown.status("working") if shown.is_terminal else nullcontext(),
        subprocess.Popen(command, env=environment, cwd=folder, **pipes) as process,
        signals.on_stop(lambda _: process.terminate()),
    ):
        out, err = process.communicate()
    if not out.strip():
        shown.print(err, highlight=False, markup=False)
        raise typer.Exit(1)
    return str(out), process.returncode


# --- the screen -----------------------------------------------------------------------------------------------------


def _screen(scenes: Sequence[_Scene], *, is_still: bool) -> Iterator[object]:
    """Yield the story for a terminal: the first run, the comment of the team that is late, and what it does."""
    first, second, replanned, last = scenes
    yield Text(f"\n{JOINT}: one commitment of three teams, in GitLab, GitHub and Jira", style="bold")
    yield Text.from_ansi(first.output.rstrip())
    yield Text("\nThe payments team's comment begins", style="bold")
    yield _quoted(_paragraphs(first.summary, ("###", "- **Decision", "**Best option")))
    yield Text(f"\nIt decides: late additions out, and the date {DAYS_LATER} days later", "bold")
    yield _quoted([text for comment in replanned.comments for text in comment.split("\n\n")[:1]])
    yield Text("\nThen it is done, and closes the milestone", style="bold")
    yield _quoted([text for comment in last.comments for text in _paragraphs(comment, ("🏁", "Planned"))])
    words = f"\n✔ Without a change, a run sent {second.requests} requests and wrote nothing."
    still = Text(words, style="green") if is_still else Text(f"✘ The second run wrote {second.writes} times.", "red")
    yield still
    yield Text(f"{GENERATED} `milesync sandbox` keeps them running.")


def _paragraphs(comment: str, beginnings: tuple[str, ...]) -> list[str]:
    """Return the paragraphs of a comment with one of these beginnings."""
    return [text for text in comment.split("\n\n") if text.startswith(beginnings)]


def _quoted(paragraphs: Sequence[str]) -> Padding:
    """Render paragraphs of a comment as its readers see them, indented."""
    text = "\n\n".join(re.sub(r"^#+ (.*)", r"**\1**", paragraph) for paragraph in paragraphs)
    return Padding(Markdown(text), (0, 4))
