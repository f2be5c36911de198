"""The sandbox's tracker for `bench_connectors`, in a process of its own.

``python bench_server.py KIND ISSUES LATENCY CHANGES`` prints its URL as JSON, then obeys lines: ``count`` (requests and
bytes since the last time), ``change N`` (N issues are edited). It remembers its answers to reads until something
changes. CHANGES of the issues are pull or merge requests (GitHub, GitLab).
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from datetime import timedelta
from random import Random
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox import server
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Project

MILESTONES, RUNNING = 40, 4
WORDS = ("rework", "show", "test", "document", "speed", "validate", "retry", "import", "export", "session", "invoice")
READS = (b"/graphql", b"/api/graphql", b"search", b"bulkfetch", b"search/jql")


class Memory:
    """Answers reads that were answered before from memory, after the latency; counts."""

    def __init__(self, app: ASGIApp, latency: float) -> None:
        self.app, self.latency = app, latency
        self.known: dict[tuple[Any, ...], list[Message]] = {}
        self.requests = self.size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await asyncio.sleep(self.latency)
        asked = await receive()
        body = asked.get("body", b"")
        while asked.get("more_body"):
            asked = await receive()
            body += asked.get("body", b"")
        told = [v for k, v in scope["headers"] if k == b"if-none-match"]
        path = scope.get("raw_path") or scope["path"].encode()
        key = (scope["method"], path, scope["query_string"], body, *told)
        reading = scope["method"] == "GET" or (path.endswith(READS) and b"mutation" not in body[:200])
        if key not in self.known:
            messages = await self._answer(scope, body)
            if not reading:
                self.known.clear()
            self.known[key] = messages
        messages = self.known[key] if reading else self.known.pop(key)
        self.requests += 1
        for message in messages:
            self.size += len(message.get("body", b""))
            await send(message)

    async def _answer(self, scope: Scope, body: bytes) -> list[Message]:
        messages: list[Message] = []

        async def given() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def taken(message: Message) -> None:
            messages.append(message)

        await self.app(scope, given, taken)
        return messages


def filled(tracker: Tracker, count: int, changes: int = 0) -> Project:
    """A project of three years: forty milestones, most of them past, and issues that came, moved and went."""
    rng, now = Random(7), tracker.world.clock().replace(microsecond=0)
    began = now - timedelta(days=1100)
    project = tracker.project("APP" if tracker.kind.startswith("jira") else "acme/app", created=began)
    people = [tracker.user(f"user{n}", f"User {n}") for n in range(20)]
    span = timedelta(days=1040) / MILESTONES
    goals = []
    for n in range(MILESTONES):
        start = began + n * span
        end = start + 2 * span if n < MILESTONES - RUNNING else now + timedelta(days=7 * (n % RUNNING + 1))
        goals.append(tracker.milestone(project, f"v{n + 1}", at=start, due=end.date()))
    for number in range(1, count + 1):
        born = began + timedelta(days=1095) * number / count
        title = " ".join(rng.choices(WORDS, k=7)).capitalize()
        body = " ".join(rng.choices(WORDS, k=90))
        fields = {"labels": rng.sample(WORDS, 2), "assignees": rng.sample(people, 1), "body": body}
        issue = tracker.issue(project, title, rng.choice(people), at=born, number=number, **fields)
        goal = min(MILESTONES - 1, int((born - began) / span))
        if rng.random() < 0.7:
            tracker.move(
                project, issue, [goals[goal].id], rng.choice(people), born + timedelta(hours=rng.random() * 90)
            )
        done = born + timedelta(days=rng.gammavariate(1.2, 25))
        if done < now - timedelta(hours=1):
            tracker.close(issue, rng.choice(people), done)
    if tracker.kind == "gitlab":
        _make_merge_requests(tracker, project, changes, rng)
    if tracker.kind == "github":
        _make_pull_requests(tracker, project, changes, rng)
    for n, past in enumerate(goals[: MILESTONES - RUNNING]):
        tracker.close_milestone(project, past, began + (n + 2) * span)
    return project


def _make_pull_requests(tracker: Tracker, project: Project, count: int, rng: Random) -> None:
    """Turn a part of the issues into pull requests, each of which closes an issue; every open one waits for review."""
    for number in rng.sample(sorted(project.issues), count):
        pull = project.issues[number]
        pull.pull, pull.closing = True, [max(1, number - 1)]
        tracker.ask(pull, pull.assignees[0], pull.author, pull.created)
        if pull.closed is not None:
            tracker.review(pull, pull.assignees[0], "APPROVED", pull.closed)


def _make_merge_requests(tracker: Tracker, project: Project, count: int, rng: Random) -> None:
    """Turn a part of the issues into merge requests, each of which closes an issue; every open one waits for review."""
    issues = project.issues
    for number in rng.sample(sorted(issues), count):
        issue = issues.pop(number)
        fields = {name: getattr(issue, name) for name in ("labels", "assignees", "body", "milestones", "changes")}
        made = tracker.merge_request(project, issue.title, issue.author, at=issue.created, **fields)
        made.updated, made.closed, made.merged = issue.updated, issue.closed, issue.closed is not None
        made.changes = [line for line in issue.changes if line.field == "milestone"]
        if made.closed is None:
            tracker.ask_for_review(made, made.assignees[0], made.author, issue.updated)
    for made, number in zip(project.merge_requests.values(), rng.sample(sorted(issues), count), strict=True):
        made.closing = [number]


def change(tracker: Tracker, project: Project, count: int) -> None:
    """Comment on issues and close some, spread over the project."""
    someone = tracker.user("user1")
    numbers = sorted(project.issues)
    for n in range(count):
        issue = project.issues[numbers[n * len(numbers) // count]]
        tracker.comment(issue, someone, "Had a look.")
        if issue.closed is None:
            tracker.close(issue, someone)


def main() -> None:
    """Serve until the input ends."""
    kind, count, latency = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    world = World()
    tracker = {"github": world.github, "gitlab": world.gitlab, "jira": world.jira, "jira-cloud": world.cloud}[kind]
    tracker.limit = 10**9
    project = filled(tracker, count, int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    memories: list[Memory] = []
    plain = server.application

    def remembering(of: Tracker) -> ASGIApp:
        memories.append(Memory(plain(of), latency))
        return memories[-1]

    server.application = remembering  # type: ignore[assignment]  # another name for the parameter
    gc.collect()
    gc.freeze()
    with server.Sandbox(world, only=(kind,)):
        (memory,) = memories
        print(json.dumps(tracker.url), flush=True)
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            if word == "change":
                change(tracker, project, int(number))
                memory.known.clear()
            print(json.dumps([memory.requests, memory.size]), flush=True)
            memory.requests = memory.size = 0


if __name__ == "__main__":
    main()
