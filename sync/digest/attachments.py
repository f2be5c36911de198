"""Burn-ups attached to a mail: those of the worst milestones in the message, as the audience may read them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import Portfolio
from sync.installation import missing_extra
from sync.model.health import UnknownCause
from sync.telemetry.log import events as log

__all__ = ["MAX_PICTURES", "Picture", "render_pictures"]

MAX_PICTURES = 3
"""Maximum number of pictures in one mail: readers skip more."""


@dataclass(frozen=True)
class Picture:
    """A PNG with its file name of ASCII letters, digits and dashes."""

    name: str
    png: bytes


def render_pictures(portfolio: Portfolio, about: Sequence[str], *, percent: bool = True) -> list[Picture]:
    """Render the burn-ups of the first milestones of ``about`` (uids), `MAX_PICTURES` at most.

    ``portfolio`` holds what the audience may read. A burn-up that fails to render is skipped: a chart never fails a
    mail.
    """
    from sync.report.burnup import render_png  # late: most runs send no mail

    by_uid = {milestone.uid: milestone for milestone in portfolio.milestones}
    pictures: list[Picture] = []
    for milestone in (by_uid[uid] for uid in about if uid in by_uid and _has_current_data(by_uid[uid])):
        if len(pictures) == MAX_PICTURES or not _can_draw():
            break
        try:
            png = render_png(milestone, percent=percent)
        except Exception:
            log.exception("a burn-up could not be drawn; the mail is sent without it", milestone=milestone.written)
            continue
        if png is not None:
            pictures.append(Picture(f"{len(pictures) + 1}-{_file_stem(milestone.milestone.title)}.png", png))
    return pictures


def _has_current_data(milestone: AssessedMilestone) -> bool:
    """Return whether the burn-up is correct to its end: with missing data it would show that nothing was done."""
    return milestone.health.unknown is not UnknownCause.STALE and (
        milestone.is_running or milestone.health.status.is_over
    )


@cache
def _can_draw() -> bool:
    """Return whether charts can be drawn in this installation. Logs once per process when they cannot."""
    from sync.report.charts import can_render_png  # late: most runs send no mail

    is_installed = can_render_png()
    if not is_installed:
        log.info("mails are sent without burn-ups", reason=missing_extra("a burn-up", "site"))
    return is_installed


def _file_stem(title: str) -> str:
    """Return the part of a foreign title that is safe in a file name: ASCII letters, digits and dashes."""
    ascii_ = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_)[:40].strip("-") or "milestone"
