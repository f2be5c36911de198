"""Histories in CSV files: what a line means, and what is said of a bad one."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.backtest.csv_history import read_histories, removed_items
from sync.backtest.csv_rows import HistoryError
from sync.history.ledger import NEVER, days

MILESTONES = (
    "milestone,kind,stream,name,start,due\nm1,sprint,TI/main,Sprint 1,2020-01-01T08:00:00Z,2020-01-14T17:30:00Z\n"
)
MEMBERSHIPS = (
    "milestone,item,joined,left,closed\n"
    "m1,A-1,2020-01-01T08:00:00Z,,2020-01-03T00:00:00Z\n"
    "m1,A-2,2020-01-02T08:00:00+02:00,2020-01-05T00:00:00Z,\n"
)


def pair(folder: Path, name: str = "one", milestones: str = MILESTONES, memberships: str = MEMBERSHIPS) -> str:
    (folder / f"{name}_milestones.csv").write_text(milestones)
    (folder / f"{name}_memberships.csv").write_text(memberships)
    return str(folder / name)


def at(year: int, month: int, day: int, hour: int = 0) -> float:
    return days(datetime(year, month, day, hour, tzinfo=UTC))


def test_a_line_becomes_a_stay_and_the_due_moment_is_the_end_of_its_day(tmp_path: Path) -> None:
    ledger = read_histories([pair(tmp_path)]).ledger
    assert ledger.containers[0].id == "one/m1"
    assert (ledger.kinds, ledger.streams) == (("sprint",), ("one/TI/main",))
    assert ledger.start.tolist() == [at(2020, 1, 1, 8)]
    assert ledger.due.tolist() == [at(2020, 1, 15)]
    assert ledger.joined.tolist() == [at(2020, 1, 1, 8), at(2020, 1, 2, 6)]
    assert ledger.left.tolist() == [NEVER, at(2020, 1, 5)]
    assert ledger.closed.tolist() == [at(2020, 1, 3), NEVER]


def test_gzip_and_plain_may_be_mixed(tmp_path: Path) -> None:
    prefix = pair(tmp_path)
    plain = tmp_path / "one_memberships.csv"
    (tmp_path / "one_memberships.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert len(read_histories([prefix]).ledger.joined) == 2


def test_pairs_share_kinds_but_neither_items_nor_streams(tmp_path: Path) -> None:
    ledger = read_histories([pair(tmp_path), pair(tmp_path, "two")]).ledger
    assert ledger.kind.tolist() == [0, 0]
    assert ledger.streams == ("one/TI/main", "two/TI/main")
    assert len(set(ledger.item.tolist())) == 4


def test_a_date_and_missing_dates_are_read(tmp_path: Path) -> None:
    lines = "milestone,kind,stream,name,start,due\nm1,release,s,x,,2020-01-14\nm2,release,s,y,2020-01-01,\n"
    ledger = read_histories([pair(tmp_path, milestones=lines)]).ledger
    assert ledger.due[0] == at(2020, 1, 15)
    assert [container.due is None for container in ledger.containers] == [False, True]
    assert [container.start is None for container in ledger.containers] == [True, False]


def test_removed_items_leave_instead_of_being_done(tmp_path: Path) -> None:
    issues = tmp_path / "issues.csv"
    issues.write_text("key,resolution\nA-1,Won't Fix\nA-2,\nB-7,Fixed\n")
    removed = removed_items(str(issues), frozenset({"won't fix", "duplicate"}))
    assert removed == {"A-1"}
    ledger = read_histories([pair(tmp_path)], removed).ledger
    assert ledger.left.tolist() == [at(2020, 1, 3), at(2020, 1, 5)]
    assert ledger.closed.tolist() == [NEVER, NEVER]


@pytest.mark.parametrize(
    ("milestones", "memberships", "message"),
    [
        (
            MILESTONES.replace("2020-01-14T17:30:00Z", "soon"),
            MEMBERSHIPS,
            "one_milestones.csv:2: due 'soon' is not a date",
        ),
        (MILESTONES, MEMBERSHIPS.replace("2020-01-01T08:00:00Z", ""), "one_memberships.csv:2: joined is empty"),
        (MILESTONES.replace("due", "end"), MEMBERSHIPS, "one_milestones.csv:1: no column due"),
        ("", MEMBERSHIPS, "one_milestones.csv:1: no column due, kind"),
        (MILESTONES + MILESTONES.splitlines()[1], MEMBERSHIPS, "1 milestones are named twice"),
        (
            MILESTONES,
            MEMBERSHIPS.replace("2020-01-03T00", "2020-13-03T00"),
            "one_memberships.csv:2: closed '2020-13-03T00",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, milestones: str, memberships: str, message: str) -> None:
    with pytest.raises(HistoryError, match=message.replace(".", r"\.")):
        read_histories([pair(tmp_path, milestones=milestones, memberships=memberships)])


def test_the_last_day_there_is_ends_without_a_crash(tmp_path: Path) -> None:
    lines = MILESTONES.replace("2020-01-14T17:30:00Z", "9999-12-31")
    assert read_histories([pair(tmp_path, milestones=lines)]).ledger.due[0] > at(9999, 12, 31)


def test_a_missing_pair_and_a_broken_archive_are_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"no file .*nothing_milestones\.csv or"):
        read_histories([str(tmp_path / "nothing")])
    prefix = pair(tmp_path)
    (tmp_path / "one_memberships.csv").unlink()
    (tmp_path / "one_memberships.csv.gz").write_bytes(b"this is no archive")
    with pytest.raises(HistoryError, match=r"one_memberships\.csv\.gz"):
        read_histories([prefix])


def test_the_same_pair_twice_is_refused(tmp_path: Path) -> None:
    prefix = pair(tmp_path)
    with pytest.raises(HistoryError, match="named twice"):
        read_histories([prefix, prefix])
