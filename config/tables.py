"""Tables of `milesync.toml`. Each key has a meaning, and a default unless it is required."""

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from config import validators
from config.secret import Secret, Text
from config.table import Table
from sync.model.counting import Counting
from sync.model.policy import OptionalOutputs, Policy
from sync.model.settings import CalendarRules, DaysOff

__all__ = [
    "NAME",
    "ConnectionSettings",
    "Dependency",
    "DoneNames",
    "Filter",
    "Joint",
    "Metrics",
    "Milestone",
    "Ping",
    "ProjectRules",
    "RemovedNames",
    "Report",
    "Serve",
    "StartedNames",
    "StatusIssue",
    "Traces",
    "Worker",
]

_CREDENTIALS = ("private_key", "app_id", "installation_id", "job_token")
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
KnownDaysOff = Annotated[DaysOff, AfterValidator(validators.days_off)]
KnownCalendarRules = Annotated[CalendarRules, AfterValidator(validators.days_off)]
Tolerance = Annotated[float, Field(ge=0, le=0.2)]


class Filter(Table):
    """Selection of milestones by title, with shell patterns such as ``Release *``."""

    include: tuple[str, ...] = Field(default=("*",), description="titles to include")
    exclude: tuple[str, ...] = Field(default=(), description="titles to exclude; stronger than include")

    def admits(self, title: str) -> bool:
        """Return True if a milestone with this title is selected."""
        return any(fnmatchcase(title, p) for p in self.include) and not any(fnmatchcase(title, p) for p in self.exclude)


class StatusIssue(Table):
    """Status issues that milesync creates, if the policy allows it."""

    labels: tuple[str, ...] = Field(default=("milestone-status",), description="labels of a new status issue")
    type: str = Field(default="Task", description="Jira: issue type")
    fields: dict[str, Any] = Field(default={}, description="Jira: required fields by id, as Jira's API expects them")
    close: bool = Field(
        default=True,
        description="close the status issue when its milestone has ended, and reopen it when the milestone runs again; "
        "only an issue that milesync created",
    )
    close_transition: str = Field(
        default="",
        description="Jira: name or id of the transition that closes it; none: the only one to the category Done",
    )
    reopen_transition: str = Field(
        default="",
        description="Jira: name or id of the transition that reopens it; none: the only one to another category, or of "
        "several the only one to To Do",
    )


Name = Annotated[str, AfterValidator(validators.folded_name)]
Names = tuple[Name, ...]


class DoneNames(Table):
    """Names of done items, in addition to the tracker's own meaning."""

    states: Names = Field(default=(), description="states (columns) that mean done")
    labels: Names = Field(default=(), description="labels that mean done, whether the issue is open or closed")
    resolutions: Names = Field(
        default=(), description="resolutions of a closed issue that mean done although they usually mean removed"
    )


class RemovedNames(Table):
    """Names of items that were removed from scope."""

    states: Names | None = Field(
        default=None, description="states that mean removed from scope; none: the usual names, of closed issues"
    )
    labels: Names = Field(default=(), description="labels that mean removed from scope")
    resolutions: Names | None = Field(
        default=None, description="resolutions of a closed issue that mean removed from scope; none: the usual names"
    )


class StartedNames(Table):
    """Names of items in progress, in addition to the tracker's own meaning."""

    states: Names = Field(
        default=(), description="states that mean in progress; such an issue is not done even if the tracker closed it"
    )
    labels: Names = Field(default=(), description="labels of an open issue that mean in progress")


class ProjectRules(Table):
    """Settings of one project that differ from its connection's."""

    policy: Policy | None = Field(default=None, description="what `run` may write in this project")
    milestones: Filter | None = Field(default=None, description="milestones of this project to include")
    count: Counting | None = Field(
        default=None, description="work that counts in this project's milestones; none: that of the connection"
    )
    optional_outputs: OptionalOutputs | None = Field(
        default=None, description="optional outputs of this project; replaces the connection's table"
    )
    done: DoneNames | None = Field(
        default=None, description="names of done issues in this project; replaces the connection's table"
    )
    removed: RemovedNames | None = Field(
        default=None, description="names of removed issues in this project; replaces the connection's table"
    )
    started: StartedNames | None = Field(
        default=None, description="names of issues in progress in this project; replaces the connection's table"
    )


def _url(value: str, info: ValidationInfo) -> str:
    kind = info.data.get("type", "")  # absent if it is wrong; pydantic reports that by itself
    return validators.tracker_url(value, kind) if value or kind else value


def _token(value: Secret | None, info: ValidationInfo) -> Secret | None:
    kind, data = info.data.get("type", ""), info.data
    validators.credentials(kind, {name: data.get(name) for name in _CREDENTIALS}, has_token=value is not None)
    if data.get("private_key") or data.get("job_token"):
        return None
    return value or (Secret(env=f"{kind.upper()}_TOKEN") if kind in ("github", "gitlab", "jira") else None)


def _email(value: str | Secret | None, info: ValidationInfo) -> str | Secret | None:
    validators.email(value, info.data.get("type"), info.data.get("url"))
    return value


def _projects(value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    return validators.projects(value, info.data.get("type"))


class ConnectionSettings(Table):
    """One tracker with one set of credentials."""

    type: Annotated[str, AfterValidator(validators.connector_type)] = Field(
        description="github, gitlab, jira, or the name of an installed plugin"
    )
    url: Annotated[str, AfterValidator(_url)] = Field(
        default="",
        validate_default=True,
        description="address of the API (GitHub) or of the site; default: the public service, Jira has none",
    )
    ignored_accounts: tuple[str, ...] = Field(
        default=(), description="accounts whose texts with our marker are ignored, such as copies by other people"
    )
    formerly: Annotated[tuple[str, ...], AfterValidator(validators.former_urls)] = Field(
        default=(),
        description="earlier addresses (url) of the same tracker, the first one first; after a change of address every "
        "tracker but Jira Cloud needs them, see docs/how-to/move-a-tracker.md",
    )
    private_key: Secret | None = Field(default=None, description="GitHub App: place of its private key (PEM)")
    app_id: int | None = Field(default=None, ge=1, description="GitHub App: its number")
    installation_id: int | None = Field(
        default=None, ge=1, description="GitHub App: the number of its installation in the organisation"
    )
    job_token: Secret | None = Field(default=None, description="GitLab: place of a job's token; replaces token")
    token: Annotated[Secret | None, AfterValidator(_token)] = Field(
        default=None,
        validate_default=True,
        description="place of the token; default: the variable GITHUB_TOKEN, GITLAB_TOKEN or JIRA_TOKEN",
    )
    webhook_secret: Secret | None = Field(
        default=None,
        description="place of the secret of its webhooks, at least 16 characters; none: no webhooks of it are accepted",
    )
    email: Annotated[Text | None, AfterValidator(_email)] = Field(
        default=None,
        validate_default=True,
        description="Jira Cloud: account of the API token; none: a Data Center PAT or an OAuth token, sent as bearer",
    )
    projects: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_projects)] = Field(
        description="projects to read: owner/name or owner/*, GitLab project or group, Jira key, pattern or query"
    )
    project: dict[str, ProjectRules] = Field(default={}, description="settings of one project, by name or pattern")
    milestones: Filter = Field(default=Filter.model_construct(), description="milestones to include, by title")
    status_issue: StatusIssue = Field(
        default=StatusIssue.model_construct(), description="status issues that milesync creates"
    )
    optional_outputs: OptionalOutputs = Field(
        default=OptionalOutputs(), description="what is written in addition to label and comment"
    )
    policy: Policy | None = Field(default=None, description="what `run` may write here; none: the policy of the file")
    timezone: Annotated[str, AfterValidator(validators.zone)] = Field(
        default="UTC", description="time zone in which a due date ends"
    )
    concurrency: int = Field(default=6, ge=1, le=32, description="requests at the same time, at most")
    timeout: int = Field(default=20, ge=1, le=600, description="seconds to wait for an answer")
    ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of your own authority, relative to this file; none: the system's and "
        "REQUESTS_CA_BUNDLE",
    )
    share: Literal["none", "aggregate"] = Field(
        default="none",
        description="what joint milestones may show about its milestones in other projects: nothing (none), or status, "
        "probability and dates (aggregate)",
    )
    done: DoneNames = Field(
        default=DoneNames.model_construct(),
        description="names of done issues, see docs/reference/what-counts.md; case is ignored",
    )
    removed: RemovedNames = Field(
        default=RemovedNames.model_construct(), description="names of issues that were removed from scope"
    )
    started: StartedNames = Field(default=StartedNames.model_construct(), description="names of issues in progress")
    ignored_types: tuple[str, ...] = Field(
        default=(),
        description="types of issues that never count in a milestone, such as Epic, Sub-task; case is ignored",
    )
    count: Counting | None = Field(
        default=None,
        description="work that counts in milestones: issues, issues and changes, or changes (pull and merge requests); "
        "none: as on the tracker's own page, GitHub's counts issues and changes, GitLab's and Jira's issues",
    )
    tolerance: Tolerance | None = Field(
        default=None, description="share of a milestone that may be open when it counts as done; none: rules.tolerance"
    )
    options: Annotated[dict[str, Any], AfterValidator(validators.no_secret_names)] = Field(
        default={}, description="options of this type of connector only, see below"
    )


class Milestone(Table):
    """Settings of one milestone, written ``gh:acme/app#12``, ``gl:acme/api%2.0`` or ``jira:PAY/2.0``."""

    id: str = Field(description="connection, project and milestone")
    report_on: Annotated[str, AfterValidator(validators.issue)] = Field(
        default="",
        description="the issue that carries its label and comments (acme/app#345, PAY-7); none: created by milesync, "
        "if the policy allows it",
    )
    start: date | None = Field(
        default=None, description="day on which its scope was agreed; none: that of its description, else the tracker's"
    )
    owner: str = Field(
        default="",
        description="person responsible for it; none: the owner of its description or of the tracker's own fields",
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        le=0.2,
        description="share of it that may be open when it counts as done; none: that of its description, else of its "
        "connection",
    )


class Joint(Table):
    """One commitment made of milestones in one or several trackers."""

    name: Annotated[str, Field(min_length=1)] = Field(description="its name")
    owner: str = Field(default="", description="person responsible for it")
    due: date | None = Field(default=None, description="the promised day; none: the last due date of its members")
    members: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="milestones, as in milestone.id; * matches any text: gl:acme/*%2.0; or the issues with a label, "
        "gh:acme/*~launch, or those of a query, jira:*?labels = launch"
    )


class Dependency(Table):
    """A milestone that waits for another one. Either may be a joint milestone, ``joint:Payments GA``."""

    before: str = Field(description="milestone that has to be done first, as in milestone.id")
    after: str = Field(description="milestone that waits for it, as in milestone.id")


class Metrics(Table):
    """Figures for Prometheus; needs the extra `metrics`."""

    listen: Annotated[str, AfterValidator(validators.address)] = Field(
        default="", description="HOST:PORT where `worker` publishes figures at /metrics; none: nowhere"
    )
    textfile: str = Field(
        default="",
        description="file to write after each run, for the node exporter's textfile collector; none: no file",
    )


class Traces(Table):
    """Time of each step of a run, sent to an OpenTelemetry collector; needs the extra `traces`."""

    endpoint: Annotated[str, AfterValidator(validators.collector)] = Field(
        default="",
        description="address for spans (OTLP over HTTP) such as http://127.0.0.1:4318/v1/traces; none: no spans",
    )


class Worker(Table):
    """Work shared by the processes of `milesync worker`; needs PostgreSQL and the extra `worker`."""

    schedule: Annotated[str, AfterValidator(validators.schedule)] = Field(
        default="17 * * * *",
        description="start of a round: minute, hour, day, month and weekday, in UTC, as in cron",
    )
    batch: int = Field(default=100, ge=1, description="projects, as configured, that are read in one job")
    concurrency: int = Field(
        default=4, ge=1, le=64, description="connections that one process works on at the same time"
    )


class Report(Table):
    """Static site of the milestones, rendered again by each `run`; needs the extra `site`."""

    out: str = Field(default="", description="folder for the report; none: no report")
    base_url: Annotated[str, AfterValidator(validators.published)] = Field(
        default="",
        description="address where that folder is published; each comment then links to its milestone's page; "
        "none: no links",
    )
    audience: str = Field(
        default="",
        description="its readers: public, a project such as gh:acme/app, or an audience's name; "
        "none: everything that is configured, for the people who run milesync",
    )


class Serve(Table):
    """Receiver of webhooks, `milesync serve`; needs the extra `serve`."""

    listen: Annotated[str, AfterValidator(validators.address)] = Field(
        default="127.0.0.1:8787", description="HOST:PORT that accepts webhooks; put a server with TLS in front of it"
    )
    health: Annotated[str, AfterValidator(validators.address)] = Field(
        default="127.0.0.1:8788", description="HOST:PORT that answers /health and /metrics, for your own network"
    )
    settle: int = Field(
        default=30, ge=0, le=3600, description="seconds from the first webhook of a change until the project is read"
    )


class Ping(Table):
    """A service that raises an alarm if it is not called, known as a dead man's switch."""

    url: Secret | None = Field(
        default=None, description="place of the address that is fetched after each run that ended with exit code 0"
    )
