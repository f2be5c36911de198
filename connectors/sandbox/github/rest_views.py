"""Sandbox GitHub: REST objects of the world, one function per kind, complete by the official description."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.versions import shown
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Change, Comment, Issue, Label, Milestone, Project, User

__all__ = ["View", "born", "node_id", "stamp", "timeline"]

_PACIFIC = ZoneInfo("America/Los_Angeles")
_PREFIX = {Issue: "I", Label: "LA", Milestone: "MI", Comment: "IC", Project: "R", User: "U", Change: "EV"}
_TIMELINE = {
    ("milestone", True): "milestoned",
    ("milestone", False): "demilestoned",
    ("state", True): "closed",
    ("state", False): "reopened",
    ("label", True): "labeled",
    ("label", False): "unlabeled",
}
_KINDS = ("milestone", "state", "label")

Json = dict[str, Any]


def node_id(thing: Issue | Label | Milestone | Comment | Project | User | Change) -> str:
    """Return the id that REST and GraphQL share."""
    prefix = _PREFIX[type(thing)]
    if isinstance(thing, Issue) and thing.pull:
        prefix = "PR"
    if isinstance(thing, User) and thing.bot:
        prefix = "BOT"
    return f"{prefix}_kw{thing.id}"


def stamp(at: datetime | None) -> str | None:
    """Format a time as GitHub does: whole seconds, UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None


def due_on(day: date | None) -> str | None:
    """Format a due date as GitHub does: midnight in California."""
    return stamp(datetime.combine(day, time(), _PACIFIC)) if day else None


def timeline(issue: Issue, milestones: Mapping[int, Milestone]) -> list[tuple[str, Change]]:
    """Return the issue's events, oldest first. Creation in a milestone has an event, as on GitHub."""
    found = [(_kind_of(change), change) for change in issue.changes if change.field in (*_KINDS, "review")]
    first = born(issue, milestones)
    return [("milestoned", first), *found] if first else found


def _kind_of(change: Change) -> str:
    """The kind of an event; that of a review is its new value."""
    if change.field == "review":
        return str(change.new)
    return _TIMELINE[change.field, change.new is not None and change.new != "open"]


def born(issue: Issue, milestones: Mapping[int, Milestone]) -> Change | None:
    """Return the event of a milestone that the issue had from its creation on and that is in no change."""
    moved = [change for change in issue.changes if change.field == "milestone"]
    if moved and moved[0].old is None:
        return None
    first = moved[0].old if moved else next(iter(issue.milestones), None)
    if first is None:
        return None
    title = moved[0].title if moved else milestones[first].title
    return Change(issue.id, issue.created, issue.author, "milestone", None, first, title)


class View:
    """Objects as JSON, with addresses below ``api`` (of the API) and ``web`` (of the pages)."""

    def __init__(self, tracker: Tracker, api: str) -> None:
        self.tracker, self.api, self.web = tracker, api, tracker.url

    def user(self, user: User) -> Json:
        """A simple user."""
        url = f"{self.api}/users/{user.login}"
        parts = ("followers", "organizations", "repos", "received_events", "subscriptions")
        return {
            "login": user.login,
            "id": user.id,
            "node_id": node_id(user),
            "avatar_url": f"{self.web}/avatars/{user.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.web}/{user.login}",
            "following_url": f"{url}/following{{/other_user}}",
            "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
            "events_url": f"{url}/events{{/privacy}}",
            **{f"{part}_url": f"{url}/{part}" for part in parts},
            "type": "Bot" if user.bot else "User",
            "site_admin": False,
        }

    def viewer(self, user: User) -> Json:
        """The account of the token."""
        made = {
            "user_view_type": "public",
            "name": user.name,
            "company": None,
            "blog": None,
            "location": None,
            "email": None,
            "hireable": None,
            "bio": None,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "created_at": "2020-01-01T00:00:00Z",
            "updated_at": "2020-01-01T00:00:00Z",
        }
        return {**self.user(user), **made}

    def repository(self, project: Project) -> Json:
        """A full repository."""
        owner, name = project.key.split("/")
        url, page = f"{self.api}/repos/{project.key}", f"{self.web}/{project.key}"
        open_ = sum(1 for issue in project.issues.values() if issue.closed is None)
        private = project.private
        return {
            "id": project.id,
            "node_id": node_id(project),
            "name": name,
            "full_name": project.key,
            "private": private,
            "visibility": "private" if private else "public",
            "owner": self.user(self.tracker.user(owner)),
            "html_url": page,
            "url": url,
            "description": project.name,
            "fork": False,
            **{f"{part}_url": f"{url}/{part.replace('_', '/')}" for part in _REPOSITORY_URLS},
            **{f"{part}_url": f"{url}/{part}{{/x}}" for part in _REPOSITORY_TEMPLATES},
            "git_url": f"{page}.git",
            "ssh_url": f"{page}.git",
            "clone_url": f"{page}.git",
            "svn_url": page,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            "topics": [],
            "default_branch": "main",
            **dict.fromkeys(_REPOSITORY_COUNTS, 0),
            "open_issues": open_,
            "open_issues_count": open_,
            "has_issues": not project.issues_off,
            "has_projects": False,
            "has_wiki": False,
            "has_pages": False,
            "has_discussions": False,
            "has_downloads": False,
            "archived": project.archived,
            "disabled": False,
            "is_template": False,
            "permissions": {
                "admin": project.admin,
                "push": not (project.read_only or project.hides_roles),
                "pull": True,
            },
            "created_at": stamp(project.created),
            "updated_at": stamp(project.updated or project.created),
            "pushed_at": stamp(project.created),
        }

    def milestones(self, project: Project, chosen: list[Milestone]) -> list[Json]:
        """Milestones; their counts include pull requests, as on GitHub."""
        counts = Counter((m, i.closed is None) for i in project.issues.values() for m in i.milestones)
        return [self._milestone(project, m, counts[m.id, True], counts[m.id, False]) for m in chosen]

    def _milestone(self, project: Project, milestone: Milestone, open_: int, closed: int) -> Json:
        url = f"{self.api}/repos/{project.key}/milestones/{milestone.number}"
        return {
            "url": url,
            "html_url": f"{self.web}/{project.key}/milestone/{milestone.number}",
            "labels_url": f"{url}/labels",
            "id": milestone.id,
            "node_id": node_id(milestone),
            "number": milestone.number,
            "title": milestone.title,
            "description": milestone.description or None,
            "creator": self.user(self.tracker.bot),
            "open_issues": open_,
            "closed_issues": closed,
            "state": "closed" if milestone.closed else "open",
            "created_at": stamp(milestone.created),
            "updated_at": stamp(milestone.updated),
            "due_on": due_on(milestone.due),
            "closed_at": stamp(milestone.closed),
        }

    def label(self, project: Project, label: Label) -> Json:
        """A label."""
        return {
            "id": label.id,
            "node_id": node_id(label),
            "url": f"{self.api}/repos/{project.key}/labels/{label.name}",
            "name": label.name,
            "description": label.description or None,
            "color": label.colour,
            "default": False,
        }

    def issues(self, project: Project, chosen: list[Issue]) -> list[Json]:
        """Issues and pull requests, as the list shows them."""
        ids = {m for issue in chosen for m in issue.milestones}
        shown = self.milestones(project, [m for m in project.milestones.values() if m.id in ids])
        by_id = {row["id"]: row for row in shown}
        return [self._issue(project, issue, by_id) for issue in chosen]

    def _issue(self, project: Project, issue: Issue, milestones: Mapping[int, Json]) -> Json:
        repository = f"{self.api}/repos/{project.key}"
        url, kind = f"{repository}/issues/{issue.number}", "pull" if issue.pull else "issues"
        page = f"{self.web}/{project.key}/{kind}/{issue.number}"
        assignees = [self.user(user) for user in issue.assignees]
        blockers = [project.issues[n] for n in issue.blocked_by if n in project.issues]
        waiting = sum(1 for item in blockers if item.closed is None)
        made: Json = {
            "url": url,
            "repository_url": repository,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "html_url": page,
            "id": issue.id,
            "node_id": node_id(issue),
            "number": issue.number,
            "title": issue.title,
            "user": self.user(issue.author),
            "labels": [self.label(project, project.labels[name]) for name in issue.labels if name in project.labels],
            "state": "closed" if issue.closed else "open",
            "state_reason": (issue.resolution or "completed") if issue.closed else None,
            "locked": False,
            "active_lock_reason": None,
            "assignee": assignees[0] if assignees else None,
            "assignees": assignees,
            "milestone": milestones[issue.milestones[0]] if issue.milestones else None,
            "comments": len(issue.comments),
            "created_at": stamp(issue.created),
            "updated_at": stamp(issue.updated),
            "closed_at": stamp(issue.closed),
            "author_association": "MEMBER",
            "type": None,
            "body": issue.body or None,
            "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
            "issue_dependencies_summary": {
                "blocked_by": waiting,
                "blocking": 0,
                "total_blocked_by": len(blockers),
                "total_blocking": 0,
            },
            "performed_via_github_app": None,
        }
        if issue.pull:
            addresses = {"diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
            made["pull_request"] = {"url": f"{repository}/pulls/{issue.number}", "html_url": page, **addresses}
        return shown(self.tracker, "issue", made)

    def comment(self, project: Project, issue: Issue, comment: Comment) -> Json:
        """A comment."""
        return {
            "id": comment.id,
            "node_id": node_id(comment),
            "url": f"{self.api}/repos/{project.key}/issues/comments/{comment.id}",
            "html_url": f"{self.web}/{project.key}/issues/{issue.number}#issuecomment-{comment.id}",
            "issue_url": f"{self.api}/repos/{project.key}/issues/{issue.number}",
            "body": comment.body,
            "user": self.user(comment.author),
            "created_at": stamp(comment.created),
            "updated_at": stamp(comment.updated),
            "author_association": "MEMBER",
            "performed_via_github_app": None,
        }

    def event(self, project: Project, issue: Issue, kind: str, change: Change) -> Json:
        """An event of an issue; a milestone is given by its title only."""
        more: Json = {}
        if kind in ("milestoned", "demilestoned"):
            more["milestone"] = {"title": change.title}
        if kind in ("labeled", "unlabeled"):
            label = project.labels.get(str(change.new or change.old))
            more["label"] = {"name": change.new or change.old, "color": label.colour if label else "ededed"}
        if kind in ("closed", "reopened"):
            more["state_reason"] = issue.resolution or None if kind == "closed" else None
        return {
            "id": change.id,
            "node_id": node_id(change),
            "url": f"{self.api}/repos/{project.key}/issues/events/{change.id}",
            "actor": self.user(change.actor),
            "event": kind,
            "commit_id": None,
            "commit_url": None,
            "created_at": stamp(change.at),
            "performed_via_github_app": None,
            **more,
        }


_REPOSITORY_URLS = (
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "hooks",
    "languages",
    "merges",
    "stargazers",
    "subscribers",
    "subscription",
    "tags",
    "teams",
)
_REPOSITORY_TEMPLATES = (
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "git_commits",
    "git_refs",
    "git_tags",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "statuses",
    "trees",
)
_REPOSITORY_COUNTS = (
    "forks",
    "forks_count",
    "size",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "network_count",
    "subscribers_count",
)
