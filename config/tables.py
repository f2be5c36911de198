"""The tables of `milesync.toml`, each key with a default or asked for by name, and with its meaning."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from config import validators
from config.secret import Secret, Text
from config.table import Table

__all__ = [
    "NAME",
    "Also",
    "Calendar",
    "ConnectionSettings",
    "DaysOff",
    "Dependency",
    "Filter",
    "Joint",
    "Limits",
    "Metrics",
    "Milestone",
    "People",
    "Ping",
    "Policy",
    "ProjectRules",
    "Retention",
    "Rules",
    "Serve",
    "StatusIssue",
    "Traces",
    "Worker",
]

_DEFAULT_URL = {"github": "https://api.github.com", "gitlab": "https://gitlab.com"}
_OUT_OF_SCOPE = (
    "not_planned", "duplicate", "Won't Do", "Won't Fix", "Duplicate", "Cannot Reproduce", "Not a Bug", "Invalid",
    "Incomplete", "Rejected", "Declined", "Obsolete",
)  # fmt: skip

_CREDENTIALS = ("private_key", "app_id", "installation_id", "job_token")
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Share = Annotated[float, Field(ge=0, le=1)]
Tolerance = Annotated[float, Field(ge=0, le=0.2)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Policy(StrEnum):
    """What `run` and `apply` may do, from nothing to most."""

    PLAN = "plan"
    UPDATE = "update"
    CREATE = "create"


class Filter(Table):
    """Which milestones, by title: shell patterns such as ``Release *``."""

    include: tuple[str, ...] = Field(default=("*",), description="titles to take")
    exclude: tuple[str, ...] = Field(default=(), description="titles to leave out; stronger than include")

    def admits(self, title: str) -> bool:
        """Whether a milestone of this title is taken."""
        return any(fnmatchcase(title, p) for p in self.include) and not any(fnmatchcase(title, p) for p in self.exclude)


class StatusIssue(Table):
    """How milesync makes a status issue, where the policy lets it."""

    labels: tuple[str, ...] = Field(default=("milestone-status",), description="labels that it is born with")
    type: str = Field(default="Task", description="Jira: issue type")
    fields: dict[str, Any] = Field(default={}, description="Jira: required fields by id, as its API takes them")


class Also(Table):
    """What is written beside the status label and the comment. All of it is off by default."""

    item_labels: bool = Field(
        default=False,
        description="labels on the issues that a reason names: health/blocked, health/stale, health/unowned",
    )
    description: bool = Field(
        default=False, description="two lines in the milestone's own description: status, probability, dates"
    )
    health_status: bool = Field(
        default=False, description="GitLab Ultimate: the status issue's own health status, beside the label"
    )
    project_status: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*/[1-9][0-9]*)?$",
        description="GitHub: project board for a status update of each milestone, OWNER/NUMBER: acme/7; none: nowhere",
    )
    picture: bool = Field(
        default=False, description="Jira: the burn-up as a picture on the status issue; needs the extra site"
    )


class ProjectRules(Table):
    """What differs for one project of a connection."""

    policy: Policy | None = Field(default=None, description="what run may do here")
    milestones: Filter | None = Field(default=None, description="which milestones of it")
    also: Also | None = Field(default=None, description="what else is written here, in place of the connection's also")


class ConnectionSettings(Table):
    """One tracker with one set of credentials."""

    type: str = Field(description="github, gitlab, jira, or the name of an installed plugin")
    url: str = Field(
        default="",
        validate_default=True,
        description="address of the API (GitHub) or of the site; default: the public service, Jira has none",
    )
    private_key: Secret | None = Field(default=None, description="GitHub App: where its private key (PEM) is kept")
    app_id: int | None = Field(default=None, ge=1, description="GitHub App: its number")
    installation_id: int | None = Field(
        default=None, ge=1, description="GitHub App: the number of its installation in the organisation"
    )
    job_token: Secret | None = Field(default=None, description="GitLab: where a job's token is kept, in place of token")
    token: Secret | None = Field(
        default=None,
        validate_default=True,
        description="where the token is kept; default: the variable GITHUB_TOKEN, GITLAB_TOKEN or JIRA_TOKEN",
    )
    webhook_secret: Secret | None = Field(
        default=None, description="where the secret of its webhooks is kept; none: `milesync serve` takes none of it"
    )
    email: Text | None = Field(
        default=None,
        validate_default=True,
        description="Jira Cloud: account of the API token; none: a Data Center PAT or an OAuth token, sent as bearer",
    )
    projects: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="what to read: owner/name or owner/*, a GitLab project or group, a Jira key, pattern or query"
    )
    project: dict[str, ProjectRules] = Field(default={}, description="what differs for one project; patterns allowed")
    milestones: Filter = Field(default=Filter(), description="which milestones, by title")
    status_issue: StatusIssue = Field(default=StatusIssue(), description="how a status issue is made")
    also: Also = Field(default=Also(), description="what is written beside label and comment")
    policy: Policy | None = Field(default=None, description="what run may do here; none: the policy of the file")
    timezone: str = Field(default="UTC", description="where a due date ends its day")
    concurrency: int = Field(default=6, ge=1, le=32, description="requests under way at once")
    timeout: int = Field(default=20, ge=1, le=600, description="seconds to wait for an answer")
    ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of your own authority, relative to this file; none: the usual ones and "
        "REQUESTS_CA_BUNDLE",
    )
    share: Literal["none", "aggregate"] = Field(
        default="none",
        description="what joint milestones may show elsewhere of this one's: nothing, or status, probability and dates",
    )
    removed_resolutions: tuple[str, ...] = Field(
        default=_OUT_OF_SCOPE, description="resolutions that mean taken out of scope, not done; case is ignored"
    )
    ignored_types: tuple[str, ...] = Field(
        default=(), description="types of issues that are never items of a milestone, such as Epic, Sub-task; any case"
    )
    tolerance: Tolerance | None = Field(
        default=None, description="share of a milestone that may be left over; none: that of rules"
    )
    options: dict[str, str | int | float | bool | list[str]] = Field(
        default={}, description="what only this type of connector knows"
    )

    @field_validator("type")
    @classmethod
    def _installed(cls, value: str) -> str:
        return validators.connector_type(value)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str, info: Any) -> str:
        kind = info.data.get("type")  # absent when it is wrong, which is said already
        return validators.url(value or _DEFAULT_URL.get(kind, "")) if value or kind else value

    @field_validator("token")
    @classmethod
    def _default_token(cls, value: Secret | None, info: Any) -> Secret | None:
        kind, data = info.data.get("type", ""), info.data
        validators.credentials(kind, {name: data.get(name) for name in _CREDENTIALS}, has_token=value is not None)
        if data.get("private_key") or data.get("job_token"):
            return None
        return value or (Secret(env=f"{kind.upper()}_TOKEN") if kind in ("github", "gitlab", "jira") else None)

    @field_validator("email")
    @classmethod
    def _account(cls, value: str | Secret | None, info: Any) -> str | Secret | None:
        validators.email(value, info.data.get("type"), info.data.get("url"))
        return value

    @field_validator("projects")
    @classmethod
    def _written(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        return validators.projects(value, info.data.get("type"))

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return validators.zone(value)

    @field_validator("options")
    @classmethod
    def _no_secret(cls, value: dict[str, Any]) -> dict[str, Any]:
        return validators.no_secret_names(value)


class Milestone(Table):
    """What people say about one milestone, written ``gh:acme/app#12``, ``gl:acme/api%2.0`` or ``jira:PAY/2.0``."""

    id: str = Field(description="connection, project and milestone")
    report_on: str = Field(
        default="",
        description="the issue that carries its label and comments (acme/app#345, PAY-7); none: made by policy",
    )
    start: date | None = Field(
        default=None, description="day on which its scope was agreed; none: as the tracker tells"
    )
    owner: str = Field(default="", description="who answers for it")

    @field_validator("report_on")
    @classmethod
    def _an_issue(cls, value: str) -> str:
        return validators.issue(value)


class Joint(Table):
    """One commitment made of milestones in one or several trackers."""

    name: Annotated[str, Field(min_length=1)] = Field(description="what people call it")
    owner: str = Field(default="", description="who answers for it")
    due: date | None = Field(default=None, description="the day that was promised; none: the last of its members")
    members: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="milestones, as in milestone.id; * stands for any text: gl:acme/*%2.0; or the issues with a label, "
        "gh:acme/*~launch, or that a query finds, jira:*?labels = launch"
    )


class Dependency(Table):
    """One milestone that waits for another; either may be a joint milestone, ``joint:Payments GA``."""

    before: str = Field(description="what has to be done first, as in milestone.id")
    after: str = Field(description="what waits for it, as in milestone.id")


class Rules(Table):
    """From probability to status."""

    tolerance: Tolerance = Field(default=0.0, description="share of a milestone that may be left over, at most 0.2")
    on_track: Probability = Field(default=0.70, description="at least this probability is on track")
    off_track: Probability = Field(
        default=0.35, validate_default=True, description="less than this probability is off track"
    )
    margin: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.07, description="how far past an edge the probability must be before the status changes"
    )
    target: Probability = Field(default=0.80, description="probability that a lever must reach")

    @field_validator("off_track")
    @classmethod
    def _below(cls, value: float, info: Any) -> float:
        if value >= info.data.get("on_track", 1):
            raise ValueError("should be below rules.on_track")
        return value


class People(Table):
    """What people are asked for. All of it is off until somebody switches it on."""

    reminders: bool = Field(
        default=False, description="remind owners of issues that need them, in a comment on the status issue"
    )
    every: int = Field(default=7, ge=1, description="days between two reminders of one milestone")
    grace: int = Field(default=3, ge=0, description="days for which an issue must need its owner before a reminder")
    escalate: int = Field(
        default=14, ge=1, validate_default=True, description="days after which the milestone's owner is asked too"
    )
    mentions: bool = Field(
        default=False, description="name people in reminders and thanks as mentions, which notify them"
    )
    over_committed: bool = Field(
        default=False, description="tell whose open issues due by a milestone's date are more than fits until then"
    )
    review: tuple[str, ...] = Field(
        default=("In Review", "Code Review", "needs review"),
        description="states and labels that mean that an issue waits for a reviewer",
    )

    @field_validator("escalate")
    @classmethod
    def _after(cls, value: int, info: Any) -> int:
        if value < info.data.get("grace", 0):
            raise ValueError("should be at least people.grace")
        return value


class DaysOff(Table):
    """Days on which nobody works."""

    country: str = Field(default="", description="public holidays of a country, DE, or of a part of it, DE-BY")
    days_off: tuple[date, ...] = Field(default=(), description="further days off")
    weekend: tuple[Weekday, ...] = Field(default=("saturday", "sunday"), description="days of the week without work")

    @field_validator("country")
    @classmethod
    def _known(cls, value: str) -> str:
        return validators.country(value)


class Calendar(DaysOff):
    """Days on which nobody works, for forecasts."""

    quiet: bool = Field(
        default=False, description="tell a new status (which notifies people) on the next working day only"
    )


class Limits(Table):
    """The most that one run may write. A plan above any of these is refused whole, with exit code 4.

    Reading and `plan` are never refused.
    """

    creates: int = Field(default=200, ge=0, description="comments, labels and status issues made")
    updates: int = Field(default=500, ge=0, description="comments rewritten, labels moved, status issues closed")
    deletes: int = Field(default=20, ge=0, description="comments of our own taken away")
    share: Share = Field(default=1.0, description="share of the milestones that may be touched, for each of these")
    floor: int = Field(default=10, ge=0, description="the share binds when there are more milestones than this")


class Retention(Table):
    """How much of the past is kept, in days from now. Each day's first `run` takes away what is older.

    Assessments in which status or due date changed, and the last one of each milestone, are always kept.
    """

    every: int = Field(default=14, ge=1, description="days for which every assessment is kept; then the last of a day")
    daily: int = Field(
        default=365,
        ge=1,
        validate_default=True,
        description="days for which one assessment a day is kept; then one a week, for ever",
    )
    journal: int = Field(default=365, ge=1, description="days for which runs and finished writes are kept")

    @field_validator("daily")
    @classmethod
    def _after(cls, value: int, info: Any) -> int:
        if value < info.data.get("every", 1):
            raise ValueError("should be at least retention.every")
        return value


class Metrics(Table):
    """Figures for Prometheus; needs the extra `metrics`."""

    listen: Annotated[str, AfterValidator(validators.address)] = Field(
        default="", description="HOST:PORT where `worker` shows figures at /metrics; none: nowhere"
    )
    textfile: str = Field(
        default="",
        description="file to write after each run, for the node exporter's textfile collector; none: no file",
    )


class Traces(Table):
    """What a run spends its time on, told to an OpenTelemetry collector; needs the extra `traces`."""

    endpoint: Annotated[str, AfterValidator(validators.collector)] = Field(
        default="", description="where spans are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces"
    )


class Worker(Table):
    """How `milesync worker` shares the work among processes; needs PostgreSQL and the extra `worker`."""

    schedule: Annotated[str, AfterValidator(validators.schedule)] = Field(
        default="17 * * * *",
        description="when a round begins: minute, hour, day, month and weekday, in UTC, as in cron",
    )
    batch: int = Field(default=100, ge=1, description="projects, as configured, that are read in one step")
    concurrency: int = Field(default=4, ge=1, le=64, description="connections that one process serves at once")


class Report(Table):
    """A static site of the milestones, made anew by each `run`; needs the extra `site`."""

    out: str = Field(default="", description="folder for the report that each run makes; none: no report")
    base_url: str = Field(
        default="",
        description="where that folder is published; each comment then links to its milestone's page; none: no links",
    )
    audience: str = Field(
        default="",
        description="whom it is made for: public, a project such as gh:acme/app, or an audience's name; "
        "none: all that is configured, for those who run milesync",
    )

    @field_validator("base_url")
    @classmethod
    def _published(cls, value: str) -> str:
        return validators.published(value) if value else value


class Serve(Table):
    """The door for webhooks, `milesync serve`; needs the extra `serve`."""

    listen: Annotated[str, AfterValidator(validators.address)] = Field(
        default="127.0.0.1:8787", description="where webhooks are taken, HOST:PORT; put a server with TLS before it"
    )
    settle: int = Field(
        default=30, ge=0, le=3600, description="seconds from the first word of a change until the project is read"
    )


class Ping(Table):
    """A dead man's switch: a service that raises an alarm when it is not called."""

    url: Secret | None = Field(
        default=None, description="where the address is kept that is fetched after each run that ended with 0"
    )
