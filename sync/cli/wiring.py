"""From settings to connections, puller and store.

Imports nothing of the forecast; `sync.cli.engine_factory` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from config import validators
from config.connector_types import installed_type
from config.errors import ConfigurationError
from config.settings import Settings
from config.tables import ConnectionSettings, Joint, Milestone
from sync.model.counting import Counting
from sync.pull.early_pages import EarlyPages
from sync.pull.progress import Progress
from sync.telemetry.log import configure_structlog
from sync.telemetry.traces import otlp, tracing
from sync.tracker.connection import Connection, MilestoneOverrides
from sync.tracker.protocol import Connector, Setup

if TYPE_CHECKING:
    from sync.pull.pull import Puller

__all__ = [
    "build_connections",
    "build_puller",
    "clock",
    "connect",
    "database_url",
    "token_variables",
    "tracing_spans",
    "with_only",
]


def clock() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def connect(kind: str, setup: Setup) -> Connector:
    """Build a connector of an installed type. Raises `ConfigurationError` if the type is not installed."""
    point = installed_type(kind)
    if point is None:
        problem = f"no connector of type {kind!r} is installed; install its package, or change the type"
        raise ConfigurationError([f"{problem} in the configuration"])
    if not point.module.startswith("connectors."):
        configure_structlog()  # a plugin may log with it
    connector: Connector = point.load()(setup)
    return connector


def build_connections(
    settings: Settings,
    environ: Mapping[str, str],
    sleep: Callable[[float], None] = time.sleep,
    *,
    offline: bool = False,
) -> list[Connection]:
    """Build every configured connection; ``offline`` needs no secret, and the connections can send nothing.

    Raises `ConfigurationError` that names each missing secret.
    """
    if offline:
        plain = {name: {"token": "-", "email": "-"} for name in settings.connections}
        for name in settings.connections:
            with suppress(ConfigurationError):
                settings.secrets([name], environ)  # from now on redacted, where it can be read
    else:
        credentials = settings.secrets(settings.connections, environ)
        plain = {
            name: {key: secret.get_secret_value() for key, secret in own.items()} for name, own in credentials.items()
        }
    return [
        _connection(settings, name, connection, plain.get(name, {}), sleep, offline=offline)
        for name, connection in settings.connections.items()
    ]


def _connection(
    settings: Settings,
    name: str,
    connection: ConnectionSettings,
    secret: Mapping[str, str],
    sleep: Callable[[float], None],
    *,
    offline: bool,
) -> Connection:
    setup = Setup(
        name=name,
        url=connection.url,
        secrets=secret,
        clock=clock,
        sleep=sleep,
        options=_options(settings, name, connection),
        concurrency=connection.concurrency,
        timeout=connection.timeout,
        offline=offline,
    )
    return Connection(
        name=name,
        connector=connect(connection.type, setup),
        projects=connection.projects,
        policy_of=lambda project: settings.policy_for(name, project),
        policy_setting_of=lambda project: settings.policy_setting(name, project),
        admits=lambda project, title: settings.admits(name, project, title),
        optional_outputs_of=lambda project: settings.optional_outputs_of(name, project),
        labels=connection.status_issue.labels,
        closes_issues=connection.status_issue.close,
        prefix=settings.label_prefix,
        zone=ZoneInfo(connection.timezone),
        state_rules_of=lambda project: settings.state_rules_for(name, project),
        ignored=frozenset(word.lower() for word in connection.ignored_types),
        tolerance=settings.tolerance_for(name),
        share=connection.share,
        named=_overrides(settings.milestone, name),
        count_of=lambda project: settings.count_of(name, project),
        formerly=connection.formerly,
        ignored_accounts=frozenset(account.lower() for account in connection.ignored_accounts),
    )


def _options(settings: Settings, name: str, connection: ConnectionSettings) -> dict[str, Any]:
    """The options of a connector: those that this table's own keys become, then the table ``options``."""
    status, recorded = connection.status_issue, settings.recorded_names(name)
    options: dict[str, Any] = {
        "status_labels": list(status.labels),
        "status_type": status.type,
        "status_fields": status.fields,
        "status_close": status.close,
    }
    lists = {
        "rules": _member_rules(settings.joint, name, connection.type),
        "optional_outputs": sorted(settings.optional_output_names(name)),
        "recorded_states": sorted(recorded.states),
        "recorded_labels": sorted(recorded.labels),
    }
    texts = {
        "app_id": connection.app_id,
        "installation_id": connection.installation_id,
        "ca_file": settings.ca_file(name),
        "close_transition": status.close_transition or None,
        "reopen_transition": status.reopen_transition or None,
    }
    if not settings.counts_changes(name):
        options["count"] = Counting.ISSUES.value
    options |= {key: values for key, values in lists.items() if values}
    options |= {key: str(value) for key, value in texts.items() if value is not None}
    return options | connection.options


def _member_rules(joints: Sequence[Joint], name: str, kind: str) -> list[dict[str, Any]]:
    """The members of joint milestones that are rules of this connection, not milestones of its tracker. Each once."""
    rules: dict[tuple[str, str, str], dict[str, Any]] = {}
    for joint in joints:
        for member in joint.members:
            start, _, rest = member.partition(":")
            rule = validators.rule(kind, rest) if start == name else None
            if rule is not None and rule not in rules:
                due = joint.due.isoformat() if joint.due else None
                rules[rule] = {"projects": rule[0], "sign": rule[1], "text": rule[2], "due": due}
    return list(rules.values())


def _overrides(milestones: Sequence[Milestone], name: str) -> dict[str, MilestoneOverrides]:
    """The settings of single milestones of a connection, by their ids without its name: ``acme/app#12``."""
    return {
        milestone.id.removeprefix(f"{name}:"): MilestoneOverrides(
            milestone.report_on, milestone.start, milestone.owner, milestone.tolerance
        )
        for milestone in milestones
        if milestone.id.startswith(f"{name}:")
    }


def build_puller(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    create: bool,
    progress: Progress,
    offline: bool = False,
    ahead: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Puller:
    """Build the puller from the configured trackers into the configured store.

    ``create`` allows a new database, ``offline`` needs no secrets. ``ahead`` begins to read the trackers before a new
    database is made. Raises `ConfigurationError` and `StoreError`.
    """
    url = database_url(settings, environ)
    connections = build_connections(settings, environ, sleep, offline=offline)
    is_early = ahead and create and is_new_file(url)
    early = {own.name: EarlyPages(own.connector, own.projects) for own in connections if is_early}
    try:
        from sync.pull.pull import Puller  # late: SQLAlchemy is imported while the trackers answer
        from sync.store.store import Store

        store = Store.open(url, create=create, clock=clock)
        return Puller(connections=connections, store=store, clock=clock, progress=progress, early_pages=early)
    except BaseException:
        for pages in early.values():
            pages.cancel()
        raise


def is_new_file(url: str) -> bool:
    """Return whether a database URL seems to name a SQLite file that does not exist. Imports no SQLAlchemy."""
    scheme, _, path = url.partition("?")[0].partition(":///")
    return scheme == "sqlite" and bool(path) and not Path(path).exists()


def database_url(settings: Settings, environ: Mapping[str, str]) -> str:
    """The URL of the database."""
    return settings.database_url(environ).get_secret_value()


def tracing_spans(settings: Settings) -> AbstractContextManager[None]:
    """Export spans as configured, until the context ends. Raises `ConfigurationError` if the extra is missing."""
    endpoint = settings.traces.endpoint
    if not endpoint:
        return nullcontext()
    try:
        exporter = otlp(endpoint)
    except ImportError:
        from sync.installation import missing_extra

        raise ConfigurationError([missing_extra("traces.endpoint", "traces")]) from None
    return tracing(exporter, installation=settings.instance, version=version("milesync"))


def with_only(settings: Settings, connection: str) -> Settings:
    """A copy of the settings with only this connection."""
    return settings.model_copy(update={"connections": {connection: settings.connections[connection]}})


def token_variables(settings: Settings) -> set[str]:
    """The environment variables with tokens and accounts. A command that asks no tracker does not need them."""
    references = (
        getattr(connection, field) for connection in settings.connections.values() for field in ("token", "email")
    )
    return {reference.env for reference in references if getattr(reference, "env", None)}
