"""From settings to an engine, which assesses, plans and writes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from config import validators
from config.errors import ConfigurationError
from config.secret import header_problem
from config.settings import Settings
from sync.assess.milestone import AssessmentRules
from sync.cli.audiences import configured_audiences
from sync.cli.targets import TargetConnection, parse_targets
from sync.cli.wiring import clock, connect
from sync.engine.engine import Engine
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.audience import Audience
from sync.model.joint import JointMilestone
from sync.model.policy import Limits
from sync.pull.progress import Progress
from sync.pull.pull import Puller, RoundShare
from sync.report.page_links import Pages
from sync.store.lease import this_process
from sync.store.store import Store
from sync.telemetry.redaction import secrets
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup

__all__ = [
    "assessment_rules",
    "build_engine",
    "build_target_engine",
]

_VARIABLES: Mapping[str, tuple[str, str, str]] = {
    "github": ("GITHUB_TOKEN", "GITHUB_API_URL", "https://api.github.com"),
    "gitlab": ("GITLAB_TOKEN", "GITLAB_URL", "https://gitlab.com"),
    "jira": ("JIRA_TOKEN", "JIRA_URL", ""),
}


def build_engine(settings: Settings, puller: Puller, *, run_id: str, share: RoundShare | None = None) -> Engine:
    """Build the configured engine on top of a puller."""
    return Engine(
        connections=puller.connections,
        store=puller.store,
        instance=settings.instance,
        clock=puller.clock,
        rules=assessment_rules(settings),
        limits=settings.limits,
        run_id=run_id,
        holder=this_process(),
        progress=puller.progress,
        share=share,
        pages=_pages(settings),
        puller=puller,
    )


def _pages(settings: Settings) -> Pages | None:
    """The address and audience of the published report; None if it is not published."""
    report = settings.report
    audience = configured_audiences(settings).get(report.audience, Audience(report.audience))
    return Pages(report.base_url, audience) if report.base_url else None


def assessment_rules(settings: Settings) -> AssessmentRules:
    """The configured rules: thresholds, calendar, joint milestones, dependencies, reminders."""
    return AssessmentRules(
        Rules(**asdict(settings.rules), review_days=settings.people.review_days),
        Calendar.of(settings.calendar),
        keep_quiet=settings.calendar.quiet,
        joints=tuple(
            JointMilestone(name=joint.name, members=joint.members, owner=joint.owner, due=joint.due)
            for joint in settings.joint
        ),
        dependencies=tuple((dependency.before, dependency.after) for dependency in settings.dependency),
        reminder_rules=settings.people,
    )


def build_target_engine(targets: Sequence[str], environ: Mapping[str, str], run_id: str, progress: Progress) -> Engine:
    """Build the engine of `milesync check`: without a configuration, with a store in memory.

    Raises `ConfigurationError` for a wrong target, a missing token or a wrong address.
    """
    errors: list[str] = []
    connections = parse_targets(targets, tuple(_VARIABLES), errors)
    for kind in connections:
        token, address, default = _VARIABLES[kind]
        errors += [f"the environment variable {token} is not set"] if not environ.get(token, "").strip() else []
        variables = (token, "JIRA_EMAIL") if kind == "jira" else (token,)
        errors += [
            f"{name}: {problem}" for name in variables if (problem := header_problem(environ.get(name, "").strip()))
        ]
        try:
            validators.url(environ.get(address) or default)
        except ValueError as error:
            errors.append(f"{address}: {error}")
    if errors:
        raise ConfigurationError(errors)
    return Engine(
        connections=[_target_connection(target, environ) for target in connections.values()],
        store=Store.memory(clock),
        instance="check",
        clock=clock,
        rules=assessment_rules(Settings.model_construct()),  # the defaults, so that a configured run agrees
        limits=Limits(),
        run_id=run_id,
        holder=this_process(),
        progress=progress,
    )


def _target_connection(target: TargetConnection, environ: Mapping[str, str]) -> Connection:
    kind = target.kind
    token, address, default = _VARIABLES[kind]
    secret = {"token": environ[token].strip()}
    if kind == "jira" and environ.get("JIRA_EMAIL"):
        secret["email"] = environ["JIRA_EMAIL"].strip()
    secrets.register(secret["token"])
    url = validators.url(environ.get(address) or default)
    setup = Setup(name=kind, url=url, secrets=secret, clock=clock, sleep=time.sleep, options=target.options)
    return Connection(name=kind, connector=connect(kind, setup), projects=target.projects)
