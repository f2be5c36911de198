"""Fake of Example in memory, and the contract suite's side of it: what people do there, which faults requests meet.

Let it answer as the tracker does: same paths, rows, orders and pages. Then the contract tests show what the connector
does with them.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter

from connectors.example.connector import connect
from connectors.testing import AppliesTo, InjectedFault, RequestCosts
from sync.tracker import Connector, Setup, with_marker

Row = dict[str, Any]

URL = "https://example.invalid"
PAGE = 50
STATUS = {
    InjectedFault.UNAUTHORISED: 401,
    InjectedFault.FORBIDDEN: 403,
    InjectedFault.LIMITED: 429,
    InjectedFault.BUSY: 502,
    InjectedFault.LATE: 502,
}
"""Statuses of the answers to faults; 200 for the others."""
BOT = {"id": "bot", "name": "milesync"}
ADA = {"id": "ada", "name": "Ada Fox"}


class NotFoundError(Exception):
    """The tracker has no such row or path."""


class Site(BaseAdapter):
    """The tracker: its rows, as answers show them, and the requests that it received."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.rows: dict[str, dict[str, Row]] = {"projects": {}, "milestones": {}, "issues": {}, "comments": {}}
        self.asked: list[str] = []
        self.fault: InjectedFault | None = None
        self.at, self.times = AppliesTo.ANY, 0
        self.retry_after: int | None = None
        self._ids = itertools.count(1)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def add(self, kind: str, **fields: Any) -> Row:
        at = self.now.isoformat()
        row = {"id": f"{next(self._ids):08d}", "created_at": at, "updated_at": at, **fields}
        self.rows[kind][row["id"]] = row
        return row

    def add_issue(self, project: str, title: str, author: Row, text: str = "", labels: Any = ()) -> Row:
        row = self.add("issues", project=project, title=title, text=text, author=author, labels=list(labels))
        key = f"EX-{int(row['id'])}"
        return self.edit(row, key=key, url=f"{URL}/issues/{key}", status="To do", closed_at=None, milestone=None)

    def edit(self, row: Row, **fields: Any) -> Row:
        row.update(fields, updated_at=self.now.isoformat())
        return row

    def say(self, issue: Row, author: Row, text: str) -> Row:
        self.edit(issue)
        return self.add("comments", issue=issue["id"], author=author, text=text)

    def find(self, kind: str, value: str, *names: str) -> Row:
        """Return the row with this value in one of its fields. Raises `NotFoundError`."""
        for row in self.rows[kind].values():
            if value in [row.get(name) for name in names]:
                return row
        raise NotFoundError(value)

    # --- requests -----------------------------------------------------------------------------------------------------

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer a request, or let it meet the injected fault."""
        address, method = urlsplit(request.url or ""), str(request.method)
        path, query = [unquote(part) for part in address.path.split("/")[1:]], dict(parse_qsl(address.query))
        body = json.loads(request.body or "{}")
        self.asked.append(method)
        is_met = self.times > 0 and (self.at is AppliesTo.ANY or method == "POST")
        if not is_met or self.fault is None:
            return self._respond(request, *self._handle(method, path, query, body))
        self.times -= 1
        if self.fault in (InjectedFault.LOST, InjectedFault.LATE):
            self._handle(method, path, query, body)
        if self.fault in (InjectedFault.LOST, InjectedFault.RESET):
            raise requests.exceptions.ConnectionError("the connection broke")
        html = "<!DOCTYPE html><h1>Welcome</h1>"
        return self._respond(request, STATUS.get(self.fault, 200), html if self.fault is InjectedFault.HTML else [1])

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _respond(self, request: requests.PreparedRequest, status: int, body: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, request.url or ""
        response._content = (body if isinstance(body, str) else json.dumps(body)).encode()  # noqa: SLF001
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response

    def _handle(self, method: str, path: list[str], query: dict[str, str], body: Row) -> tuple[int, Any]:
        try:
            return 200, self._change(method, path, body) if method != "GET" else self._read(path, query)
        except NotFoundError:
            return 404, {"message": "not found"}

    def _read(self, path: list[str], query: dict[str, str]) -> Any:
        match path:
            case ["me"]:
                return BOT
            case ["projects", key]:
                return self.find("projects", key, "key")
            case ["issues", key]:
                return self.find("issues", key, "key")
            case ["projects", project, ("milestones" | "issues") as kind]:
                rows = [row for row in self.rows[kind].values() if row["project"] == project]
                rows = [row for row in rows if row["updated_at"] >= query.get("updated_since", "")]
                label = query.get("label")
                return _page([row for row in rows if not label or label in row["labels"]], query.get("page", ""))
            case ["issues", key, "comments"]:
                issue = self.find("issues", key, "key")
                comments = self.rows["comments"].values()
                return _page([row for row in comments if row["issue"] == issue["id"]], query.get("page", ""))
        raise NotFoundError(path)

    def _change(self, method: str, path: list[str], body: Row) -> Any:
        match method, path:
            case "POST", ["projects", project, "issues"]:
                return self.add_issue(project, body["title"], BOT, body["text"], body["labels"])
            case "POST", ["issues", key, "comments"]:
                return self.say(self.find("issues", key, "key"), BOT, body["text"])
            case "PATCH", ["issues", key]:
                issue = self.find("issues", key, "key")
                changed = {*body["add_labels"], *body["remove_labels"]}
                labels = [label for label in issue["labels"] if label not in changed]
                return self.edit(issue, labels=[*labels, *body["add_labels"]])
            case "PATCH", ["comments", number]:
                return self.edit(self.find("comments", number, "id"), text=body["text"])
            case "DELETE", ["comments", number]:
                return self.rows["comments"].pop(self.find("comments", number, "id")["id"])
        raise NotFoundError(path)


def _page(rows: list[Row], after: str) -> Row:
    """Return the rows after a place, the oldest update first: the place is the last row's, so that no edit moves it."""

    def place(row: Row) -> str:
        return f"{row['updated_at']} {row['id']}"

    rest = sorted((row for row in rows if place(row) > after), key=place)
    return {"rows": rest[:PAGE], "next": place(rest[PAGE - 1]) if len(rest) > PAGE else ""}


class ExampleSide:
    """Side of the contract suite: what people do in the tracker. See `connectors.testing.Side`."""

    project, other, page, secret, several = "APP", "WEB", PAGE, "not-a-real-token", False
    costs = RequestCosts(unchanged=3, first_pull=2)

    def __init__(self) -> None:
        self.site = Site()
        for key in (self.project, self.other):
            self.site.add("projects", key=key, name=key, url=f"{URL}/projects/{key}")

    def connect(self) -> Connector:
        options, secrets = {"transport": self.site}, {"token": self.secret}
        setup = Setup(name="side", url=URL, secrets=secrets, clock=self.now, sleep=self.pass_time, options=options)
        return connect(setup)

    def now(self) -> datetime:
        return self.site.now

    def pass_time(self, seconds: float) -> None:
        self.site.now += timedelta(seconds=seconds)

    def text(self, words: str) -> str:
        return words

    def add_milestone(self, title: str, due: date | None = None) -> None:
        project, day = self._project(self.project), due.isoformat() if due else None
        url = f"{URL}/milestones/{len(self.site.rows['milestones'])}"
        self.site.add("milestones", name=title, project=project, due=day, is_closed=False, url=url)

    def edit_milestone(self, title: str, *, new: str = "", due: date | None = None, closed: bool = False) -> None:
        row = self._milestone(title)
        day = due.isoformat() if due else row["due"]
        self.site.edit(row, name=new or title, due=day, is_closed=closed or row["is_closed"])

    def delete_milestone(self, title: str) -> None:
        del self.site.rows["milestones"][self._milestone(title)["id"]]

    def add_issue(self, title: str, *milestones: str, elsewhere: bool = False) -> None:
        self.site.add_issue(self._project(self.other if elsewhere else self.project), title, ADA)
        self.move(title, *milestones)

    def move(self, title: str, *milestones: str) -> None:
        self.site.edit(self._issue(title), milestone=self._milestone(milestones[0])["id"] if milestones else None)

    def close(self, title: str) -> None:
        self.site.edit(self._issue(title), status="Done", closed_at=self.site.now.isoformat())

    def remove(self, title: str) -> None:
        self.site.edit(self._issue(title), status="Cancelled", closed_at=self.site.now.isoformat())

    def reopen(self, title: str) -> None:
        self.site.edit(self._issue(title), status="To do", closed_at=None)

    def rename(self, title: str, new: str) -> None:
        self.site.edit(self._issue(title), title=new)

    def label(self, title: str, name: str) -> None:
        row = self._issue(title)
        self.site.edit(row, labels=[*row["labels"], name])

    def copy_status_issue(self, title: str, marker: str) -> None:
        text = with_marker("about", marker)
        self.site.add_issue(self._project(self.project), title, ADA, text, ["milestone-status"])

    def comment(self, title: str, body: str, *, marker: str = "", ours: bool = False) -> None:
        text = with_marker(body, marker) if marker else body
        self.site.say(self._issue(title), BOT if ours else ADA, text)

    def issues(self, title: str) -> int:
        return sum(row["title"] == title for row in self.site.rows["issues"].values())

    def comments(self, title: str) -> int:
        issue = self._issue(title)["id"]
        return sum(row["issue"] == issue for row in self.site.rows["comments"].values())

    def requests(self) -> int:
        return len(self.site.asked)

    def writes(self) -> int:
        return sum(method != "GET" for method in self.site.asked)

    def inject(
        self, fault: InjectedFault, at: AppliesTo = AppliesTo.ANY, times: int = 1, retry_after: int | None = None
    ) -> None:
        self.site.fault, self.site.at, self.site.times, self.site.retry_after = fault, at, times, retry_after

    def _project(self, key: str) -> str:
        return str(self.site.find("projects", key, "key")["id"])

    def _issue(self, title: str) -> Row:
        return self.site.find("issues", title, "title")

    def _milestone(self, title: str) -> Row:
        return self.site.find("milestones", title, "name")
