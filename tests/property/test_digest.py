"""Every digest: hidden projects leave no trace, foreign text has no effect, and the store records what was sent."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sync.assess.milestone import AssessmentRules
from sync.digest.cadence import Cadence
from sync.digest.changes import MilestoneState, changes_since
from sync.digest.message import compose
from sync.digest.phrases import Speaker
from sync.digest.send import PortfolioSource, Receiver, SendOutcome, preview
from sync.history.calendar import Calendar
from sync.markup.message import inert_text, text_message
from sync.model.audience import Audience
from sync.model.digest import LastSent
from sync.model.health import Dates, Status
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Visibility
from sync.report.language import load_language
from tests.digest_samples import NOW as THEN
from tests.digest_samples import health, standing
from tests.portfolio_world import NOW, RULES, World, page, running
from tests.property.hostile_text import PARTS

JOINTS = (
    JointMilestone(name="Seen", members=(running("app"), running("web"))),
    JointMilestone(name="Half seen", members=(running("app"), running("vault"))),
)
WAITS = ((running("vault"), running("app")),)


def _digest(world: World) -> list[SendOutcome]:
    where = PortfolioSource(
        world.store, world.connections, AssessmentRules(RULES, joints=JOINTS, dependencies=WAITS), NOW
    )
    audience = Audience("board", ("app:*", "web:*"))
    rhythm = Cadence(Calendar.plain(), ZoneInfo("UTC"))
    return list(preview(where, Receiver(audience, rhythm, Speaker(load_language("en")), {})))


@settings(max_examples=8, deadline=None)
@given(
    still_open=st.integers(0, 10),
    late=st.booleans(),
    due=st.integers(-20, 60),
    shared=st.booleans(),
    text=st.sampled_from(PARTS),
)
def test_a_digest_depends_only_on_what_its_audience_may_read(
    still_open: int, late: bool, due: int, shared: bool, text: str
) -> None:
    """The digest has the same words for any content of a hidden project, shared or not."""
    told = []
    for vault in (
        page("vault"),
        page("vault", still_open=still_open, late=late, due=NOW.date() + timedelta(days=due), description=text),
    ):
        world = World(
            page("app"), page("web", visibility=Visibility.PUBLIC), vault, share="aggregate" if shared else "none"
        )
        world.store.save_health(
            "run", [milestone.health for milestone in world.whole().milestones if milestone.project.id == "vault"]
        )
        told.append(_digest(world))
    assert told[0] == told[1]
    (outcome,) = told[0]
    assert outcome.message is not None
    words = text_message(outcome.message.document)
    assert "Seen: " in words
    assert "Half seen" not in words
    assert "vault" not in words


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=20), max_size=6).map("".join))
def test_quiet_text_has_no_meaning_anywhere(text: str) -> None:
    shown = inert_text(text)
    assert not set("<>[]{}*_~`@#|\\&$^\n\r") & set(shown)
    assert not re.search(r":\S|\.[^\W\d]", shown)
    (line,) = MarkdownIt("gfm-like", {"linkify": False}).parseInline(f"✅ {shown}")
    assert [token.type for token in line.children or ()] in ([], ["text"])


_STATUSES = st.sampled_from([status for status in Status if status is not Status.DONE])
_STANDINGS = st.lists(
    st.builds(
        lambda n, status, p, days: standing(
            f"m{n}", health(status, p, dates=Dates(p85=None if days is None else THEN.date() + timedelta(days=days)))
        ),
        st.integers(0, 4),
        _STATUSES,
        st.none() | st.floats(0.01, 0.99),
        st.none() | st.integers(0, 90),
    ),
    unique_by=lambda milestone: milestone.uid,
)


@given(st.lists(_STANDINGS, min_size=1, max_size=6))
def test_sent_news_is_recorded_and_not_sent_again(weeks: list[list[MilestoneState]]) -> None:
    told: dict[str, LastSent] = {}
    since = None
    for n, found in enumerate(weeks):
        at = THEN + timedelta(days=n)
        made = changes_since(found, told, since, at)
        if made is not None:
            assert all(entry.changes or entry.needs_decision for entry in made.entries)
            assert compose(made, Speaker(load_language("de"), "words")).subject
            told, since = dict(made.sent), at
        assert changes_since(found, told, since, at) is None
