"""From settings to an engine, which assesses, plans and writes."""

from __future__ import annotations

from dataclasses import asdict

from config.settings import Settings
from sync.assess.milestone import AssessmentRules
from sync.cli.audiences import configured_audiences
from sync.engine.engine import Engine
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.audience import Audience
from sync.model.joint import JointMilestone
from sync.model.policy import Limits
from sync.pull.pull import Puller, RoundShare
from sync.report.page_links import Pages
from sync.store.lease import this_process

__all__ = [
    "assessment_rules",
    "build_engine",
    "build_target_engine",
]


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


def build_target_engine(puller: Puller, run_id: str) -> Engine:
    """Build the engine of `milesync check` on top of its puller.

    It has the default rules, so that a configured run agrees.
    """
    return Engine(
        connections=puller.connections,
        store=puller.store,
        instance="check",
        clock=puller.clock,
        rules=assessment_rules(Settings.model_construct()),
        limits=Limits(),
        run_id=run_id,
        holder=this_process(),
        progress=puller.progress,
        puller=puller,
    )
