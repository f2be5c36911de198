"""The burn-ups that go with a mail: of the worst milestones that it tells of, as its audience may read them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import structlog

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import Portfolio
from sync.model.health import Status, UnknownWhy

__all__ = ["MOST", "Picture", "pictures"]

MOST = 3
"""Pictures of one mail at most: more than that nobody looks at."""

log = structlog.get_logger("milesync")


@dataclass(frozen=True)
class Picture:
    """A PNG; ``name`` is that of its file, of plain letters, digits and dashes."""

    name: str
    png: bytes


def pictures(whole: Portfolio, about: Sequence[str], *, percent: bool = True) -> list[Picture]:
    """The burn-ups of the first of ``about`` (uids) that can be drawn, `MOST` at most.

    ``whole`` is what the audience may read. What cannot be drawn is left out: a mail never waits for its pictures.
    """
    from sync.report.burnup import picture  # late: most runs send no mail

    by_uid = {milestone.uid: milestone for milestone in whole.milestones}
    made: list[Picture] = []
    for milestone in (by_uid[uid] for uid in about if uid in by_uid and _worth(by_uid[uid])):
        if len(made) == MOST or not _able():
            break
        try:
            drawn = picture(milestone, percent=percent)
        except Exception:
            log.exception("a burn-up could not be drawn; the mail goes without", milestone=milestone.uid)
            continue
        if drawn is not None:
            made.append(Picture(f"{len(made) + 1}-{_plain(milestone.milestone.title)}.png", drawn))
    return made


def _worth(milestone: AssessedMilestone) -> bool:
    """Whether its lines are true up to their end: of missing data they would tell that nothing was done."""
    return milestone.health.unknown is not UnknownWhy.STALE and (
        milestone.running or milestone.health.status is Status.DONE
    )


@cache
def _able() -> bool:
    """Whether charts can be drawn here. Says once for each process that they cannot."""
    there = find_spec("vl_convert") is not None
    if not there:
        log.info("mails go without burn-ups, which need the extra `site`: pip install 'milesync[site]'")
    return there


def _plain(title: str) -> str:
    """What of a foreign title is safe in the name of a file, whatever opens it."""
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", bare)[:40].strip("-") or "milestone"
