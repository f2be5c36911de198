"""A tracker in the shape of Linear's API in memory: a transport for `requests`, and the contract suite's side of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests
from requests.adapters import BaseAdapter

from connectors.testing import AppliesTo, InjectedFault, RequestCosts
from sync.tracker.marker import with_marker
from sync.tracker.protocol import Connector, Setup
from tests.contract.sample_connector import connect

Json = dict[str, Any]
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
URL = "https://linear.invalid"
STATUS = {
    InjectedFault.UNAUTHORISED: 401,
    InjectedFault.FORBIDDEN: 403,
    InjectedFault.LIMITED: 429,
    InjectedFault.BUSY: 502,
    InjectedFault.HTML: 200,
    InjectedFault.GARBAGE: 200,
    InjectedFault.LATE: 502,
}


class NotThereError(Exception):
    """ENTITY_NOT_FOUND."""


@dataclass
class Workspace(BaseAdapter):
    """Projects, milestones, issues, comments and labels, each with its id; and what requests meet."""

    now: datetime = START
    projects: dict[str, Json] = field(default_factory=dict)
    milestones: dict[str, Json] = field(default_factory=dict)
    issues: dict[str, Json] = field(default_factory=dict)
    comments: dict[str, Json] = field(default_factory=dict)
    labels: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fault: InjectedFault | None = None
    at: AppliesTo = AppliesTo.ANY
    times: int = 0
    retry_after: int | None = None
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        super().__init__()

    # --- what people and programs do ---------------------------------------------------------------------------------

    def add(self, shelf: dict[str, Json], **fields: Any) -> Json:
        """A new row, with id and times."""
        at = self.now.isoformat()
        row = {"id": f"{next(self.ids):08d}", "createdAt": at, "updatedAt": at, **fields}
        shelf[row["id"]] = row
        return row

    def add_issue(self, project: str, title: str, by: str, description: str = "", milestone: str = "") -> Json:
        row = self.add(self.issues, project=project, title=title, description=description, creator={"id": by})
        row["identifier"] = f"ENG-{int(row['id'])}"
        row |= {"url": f"{URL}/issue/{row['identifier']}", "state": {"name": "Todo", "type": "unstarted"}}
        row |= {"completedAt": None, "canceledAt": None, "estimate": None, "labelIds": [], "assignee": None}
        return self.edit(row, milestone=milestone)

    def edit(self, row: Json, **fields: Any) -> Json:
        row |= {**fields, "updatedAt": self.now.isoformat()}
        return row

    def say(self, issue: Json, by: str, body: str) -> Json:
        self.edit(issue)
        return self.add(self.comments, issue=issue["id"], body=body, user={"id": by, "name": by.title()})

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        asked = json.loads(request.body or "{}")
        operation, variables = asked["operationName"], asked["variables"]
        self.asked.append(operation)
        creates = operation in ("IssueCreate", "CommentCreate")
        met = self.fault if self.times > 0 and (self.at is AppliesTo.ANY or creates) else None
        if met is None:
            return self._answer(request, 200, self._done(operation, variables))
        self.times -= 1
        if met in (InjectedFault.LOST, InjectedFault.LATE):
            self._done(operation, variables)
        if met in (InjectedFault.LOST, InjectedFault.RESET):
            raise requests.exceptions.ConnectionError("the connection broke")
        body = "<!DOCTYPE html><h1>Welcome</h1>" if met is InjectedFault.HTML else {"message": "no"}
        return self._answer(request, STATUS[met], body)

    def close(self) -> None:
        """Nothing to give back."""

    def _answer(self, request: requests.PreparedRequest, status: int, body: Json | str) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = status, request, request.url or ""
        answer._content = (body if isinstance(body, str) else json.dumps(body)).encode()
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    # --- GraphQL, by the name of the operation -----------------------------------------------------------------------

    def _done(self, operation: str, variables: Json) -> Json:
        try:
            return {"data": {operation: getattr(self, f"_{operation}")(**variables)}}
        except NotThereError:
            return {"data": None, "errors": [{"message": "not found", "extensions": {"code": "ENTITY_NOT_FOUND"}}]}

    def _paged(self, rows: Sequence[Json], after: str | None, *order: str) -> Json:
        """Return the next page; its cursor is the place of its last row, so that an edit of another row shifts none."""

        def place(row: Json) -> str:
            return " ".join(row[name] for name in (*order, "id"))

        rest = sorted((row for row in rows if place(row) > (after or "")), key=place)
        info = {"hasNextPage": len(rest) > 50, "endCursor": place(rest[:50][-1]) if rest else after}
        return {"nodes": rest[:50], "pageInfo": info}

    def _one(self, shelf: dict[str, Json], key: str, by: str = "id") -> Json:
        for row in shelf.values():
            if row[by] == key:
                return row
        raise NotThereError

    def _shown(self, row: Json) -> Json:
        names = [{"name": self.labels[label]["name"]} for label in row["labelIds"]]
        goal = {"id": row["milestone"]} if row["milestone"] else None
        return row | {"labels": {"nodes": names}, "projectMilestone": goal}

    def _Viewer(self) -> Json:  # noqa: N802
        return {"id": "bot"}

    def _Project(self, slug: str) -> Json:  # noqa: N802
        return self._one(self.projects, slug, "slugId")

    def _Milestones(self, project: str, after: str | None) -> Json:  # noqa: N802
        return self._paged([row for row in self.milestones.values() if row["project"] == project], after)

    def _Issues(self, project: str, since: str | None, after: str | None) -> Json:  # noqa: N802
        rows = [
            self._shown(r) for r in self.issues.values() if r["project"] == project and r["updatedAt"] >= (since or "")
        ]
        return self._paged(rows, after, "updatedAt")

    def _Marked(self, project: str, label: str, after: str | None) -> Json:  # noqa: N802
        rows = [self._shown(row) for row in self.issues.values() if row["project"] == project]
        return self._paged([row for row in rows if {"name": label} in row["labels"]["nodes"]], after)

    def _Issue(self, id: str) -> Json:  # noqa: A002, N802
        return self._shown(self._one(self.issues, id, "identifier"))

    def _Comments(self, issue: str, after: str | None) -> Json:  # noqa: N802
        return self._paged([row for row in self.comments.values() if row["issue"] == issue], after)

    def _Labels(self, after: str | None) -> Json:  # noqa: N802
        return self._paged(list(self.labels.values()), after)

    def _LabelCreate(self, name: str, color: str) -> Json:  # noqa: N802
        return {"issueLabel": self.add(self.labels, name=name, color=color)}

    def _IssueCreate(self, project: str, title: str, description: str, labels: list[str]) -> Json:  # noqa: N802
        return {"issue": self.edit(self.add_issue(project, title, "bot", description), labelIds=labels)}

    def _IssueUpdate(self, id: str, added: list[str], removed: list[str]) -> Json:  # noqa: A002, N802
        row = self._one(self.issues, id, "identifier")
        kept = [label for label in row["labelIds"] if label not in {*removed, *added}]
        return {"issue": self.edit(row, labelIds=[*kept, *added])}

    def _CommentCreate(self, issue: str, body: str) -> Json:  # noqa: N802
        return {"comment": self.say(self._one(self.issues, issue, "identifier"), "bot", body)}

    def _CommentUpdate(self, id: str, body: str) -> Json:  # noqa: A002, N802
        return {"comment": self.edit(self._one(self.comments, id), body=body)}

    def _CommentDelete(self, id: str) -> Json:  # noqa: A002, N802
        del self.comments[self._one(self.comments, id)["id"]]
        return {"success": True}


class SampleSide:
    """See `connectors.testing.Side`."""

    project, other, page, secret, several = "app", "web", 50, "lin_not_a_real_token", False
    costs = RequestCosts(unchanged=3, first_pull=2)

    def __init__(self) -> None:
        self.there = Workspace()
        for slug in (self.project, self.other):
            self.there.add(self.there.projects, slugId=slug, name=slug, url=f"{URL}/project/{slug}")

    def connect(self) -> Connector:
        secrets, options = {"token": self.secret}, {"transport": self.there}
        return connect(
            Setup(name="side", url=URL, secrets=secrets, clock=self.now, sleep=self.pass_time, options=options)
        )

    def now(self) -> datetime:
        return self.there.now

    def pass_time(self, seconds: float) -> None:
        self.there.now += timedelta(seconds=seconds)

    def text(self, words: str) -> str:
        return words

    def add_milestone(self, title: str, due: date | None = None) -> None:
        day = due.isoformat() if due else None
        self.there.add(self.there.milestones, name=title, project=self._place(), targetDate=day, status="next")

    def edit_milestone(self, title: str, *, new: str = "", due: date | None = None, closed: bool = False) -> None:
        row = self._milestone(title)
        day = due.isoformat() if due else row["targetDate"]
        self.there.edit(row, name=new or title, targetDate=day, status="done" if closed else row["status"])

    def delete_milestone(self, title: str) -> None:
        del self.there.milestones[self._milestone(title)["id"]]

    def add_issue(self, title: str, *milestones: str, elsewhere: bool = False) -> None:
        goal = self._milestone(milestones[0])["id"] if milestones else ""
        self.there.add_issue(self._place(self.other if elsewhere else self.project), title, "ada", milestone=goal)

    def move(self, title: str, *milestones: str) -> None:
        goal = self._milestone(milestones[0])["id"] if milestones else ""
        self.there.edit(self._issue(title), milestone=goal)

    def close(self, title: str) -> None:
        done = {"name": "Done", "type": "completed"}
        self.there.edit(self._issue(title), state=done, completedAt=self.there.now.isoformat())

    def remove(self, title: str) -> None:
        cancelled = {"name": "Canceled", "type": "canceled"}
        self.there.edit(self._issue(title), state=cancelled, canceledAt=self.there.now.isoformat())

    def reopen(self, title: str) -> None:
        todo = {"name": "Todo", "type": "unstarted"}
        self.there.edit(self._issue(title), state=todo, completedAt=None, canceledAt=None)

    def rename(self, title: str, new: str) -> None:
        self.there.edit(self._issue(title), title=new)

    def label(self, title: str, name: str) -> None:
        row = self._issue(title)
        known = {label["name"]: label for label in self.there.labels.values()}
        label = known.get(name) or self.there.add(self.there.labels, name=name, color="")
        self.there.edit(row, labelIds=[*row["labelIds"], label["id"]])

    def copy_status_issue(self, title: str, marker: str) -> None:
        self.there.add_issue(self._place(), title, "ada", with_marker("about", marker))
        self.label(title, "milestone-status")

    def comment(self, title: str, body: str, *, marker: str = "", ours: bool = False) -> None:
        text = with_marker(body, marker) if marker else body
        self.there.say(self._issue(title), "bot" if ours else "ada", text)

    def issues(self, title: str) -> int:
        return sum(row["title"] == title for row in self.there.issues.values())

    def comments(self, title: str) -> int:
        issue = self._issue(title)["id"]
        return sum(row["issue"] == issue for row in self.there.comments.values())

    def requests(self) -> int:
        return len(self.there.asked)

    def writes(self) -> int:
        return sum(name.endswith(("Create", "Update", "Delete")) for name in self.there.asked)

    def inject(
        self, fault: InjectedFault, at: AppliesTo = AppliesTo.ANY, times: int = 1, retry_after: int | None = None
    ) -> None:
        self.there.fault, self.there.at, self.there.times, self.there.retry_after = fault, at, times, retry_after

    def _place(self, slug: str = "") -> str:
        return str(self.there._one(self.there.projects, slug or self.project, "slugId")["id"])

    def _issue(self, title: str) -> Json:
        return self.there._one(self.there.issues, title, "title")

    def _milestone(self, title: str) -> Json:
        return self.there._one(self.there.milestones, title, "name")
