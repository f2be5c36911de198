"""The limit of texts that are created within an hour: `sync.engine.text_limit`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.engine.text_limit import TextLimit

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_the_last_text_of_an_hour_waits_until_the_first_is_an_hour_old() -> None:
    texts = TextLimit(3, [NOW - timedelta(minutes=minutes) for minutes in (50, 40, 30, 20)])
    assert texts.wait_until(NOW) == NOW + timedelta(minutes=20)
    assert texts.wait_until(NOW + timedelta(minutes=20)) is None
    texts.count(NOW + timedelta(minutes=20))
    assert texts.wait_until(NOW + timedelta(minutes=20)) == NOW + timedelta(minutes=30)


def test_no_limit_holds_nothing_back() -> None:
    texts = TextLimit(0, ())
    texts.count(NOW)
    assert texts.wait_until(NOW) is None
