"""Tags that are many times on each page: a date, an item. A macro of a template would take ten times as long."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from markupsafe import Markup, escape

from sync.markup.document import clean
from sync.model.tracker_data import Issue
from sync.report.phrases import day

__all__ = ["date_tag", "iso", "issue_tag", "link"]


@lru_cache(maxsize=10_000)
def date_tag(on: date | None, without: str = "–") -> Markup:
    """Return a date in ``<time>``; for None the text ``without``."""
    return Markup(f'<time datetime="{iso(on)}">{escape(day(on))}</time>') if on else escape(without)  # noqa: S704


def issue_tag(issue: Issue | None) -> Markup:
    """Return key and title of an item, with a link to it; None is one that the reader may not see."""
    if issue is None:
        return Markup("an item you may not have access to")
    key, title, url = escape(clean(issue.key)), escape(clean(issue.title)), link(issue.url)
    shown = f'<a href="{escape(url)}" rel="noreferrer"><bdi>{key}</bdi></a>' if url else f"<bdi>{key}</bdi>"
    return Markup(f"{shown} <bdi>{title}</bdi>")  # noqa: S704 - all values are escaped


def link(url: str) -> str:
    """Return an address of the web, else an empty text: a tracker could give any scheme."""
    return url if url.startswith(("https://", "http://")) else ""


def iso(value: date | datetime) -> str:
    """Return a date, or a moment to the second, in ISO 8601."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
