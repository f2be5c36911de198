"""Histories of counts: the memberships give the counts of each row, and a bad row is named."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sync.backtest.csv_history import read_histories
from sync.backtest.csv_rows import HistoryError
from sync.backtest.methods import BY_CLOSURE
from sync.backtest.questions import BacktestSetup, questions
from sync.backtest.run import run_backtest
from sync.cli.backtest_tables import render
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days

HEADER = "milestone,kind,stream,start,due,at,open,done\n"
PLAN = "m1,sprint,TI/main,2020-01-01,2020-01-14,"
ROWS = (
    PLAN + "2020-01-01T08:00:00Z,8,0\n",
    PLAN + "2020-01-07T12:00:00Z,7,3\n",
    PLAN + "2020-01-14,2,7\n",
)
START = datetime(2020, 1, 1, tzinfo=UTC)


def written(folder: Path, *rows: str, header: str = HEADER, name: str = "one_counts.csv") -> str:
    (folder / name).write_text(header + "".join(rows))
    return str(folder / "one")


def counts_at(ledger: Ledger, at: datetime) -> tuple[int, int]:
    rows = ledger.rows(0)
    return int(ledger.is_open(days(at), rows).sum()), int(ledger.is_done(days(at), rows).sum())


def test_a_row_gives_its_counts_until_the_next_row(tmp_path: Path) -> None:
    history = read_histories([written(tmp_path, *ROWS)])
    ledger = history.ledger
    assert (ledger.kinds, ledger.streams, ledger.containers[0].id) == (("sprint",), ("one/TI/main",), "one/m1")
    assert ledger.due[0] == days(datetime(2020, 1, 15, tzinfo=UTC))
    assert counts_at(ledger, START) == (8, 0), "the items of the first row are in scope from the start"
    assert counts_at(ledger, datetime(2020, 1, 7, 11, tzinfo=UTC)) == (8, 0)
    assert counts_at(ledger, datetime(2020, 1, 7, 12, tzinfo=UTC)) == (7, 3)
    assert history.observed["one/m1"][-1] == datetime(2020, 1, 15, tzinfo=UTC), "a date means its end"


def test_items_that_leave_at_the_end_are_carried_over_and_removed_ones_are_not(tmp_path: Path) -> None:
    end = datetime(2020, 1, 15, tzinfo=UTC)
    carried = read_histories([written(tmp_path, *ROWS)]).ledger
    assert counts_at(carried, end) == (3, 7), "one of ten is missing at the end: it was moved on"
    header = HEADER.replace("done", "done,added,removed")
    rows = [row.replace("\n", f",{2 * (k > 0)},{k // 2}\n") for k, row in enumerate(ROWS)]
    assert counts_at(read_histories([written(tmp_path, *rows, header=header)]).ledger, end) == (2, 7)


def test_a_path_of_a_file_and_gzip_are_read(tmp_path: Path) -> None:
    written(tmp_path, *ROWS, name="other.csv")
    assert read_histories([str(tmp_path / "other.csv")]).ledger.containers[0].id == "other.csv/m1"
    (tmp_path / "zipped_counts.csv.gz").write_bytes(gzip.compress((HEADER + "".join(ROWS)).encode()))
    assert len(read_histories([str(tmp_path / "zipped")]).ledger.containers) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (PLAN + ",7,3\n", "one_counts.csv:2: at is empty"),
        (PLAN + "soon,7,3\n", "one_counts.csv:2: at 'soon' is not a date or time"),
        (PLAN + "2020-01-07,-1,3\n", "one_counts.csv:2: open '-1' is not a number of items"),
        (PLAN + "2020-01-07,7,2.5\n", "one_counts.csv:2: done '2.5' is not a number of items"),
        (PLAN + "2020-01-07,nan,3\n", "one_counts.csv:2: open 'nan' is not a number of items"),
        (PLAN + "2020-01-07,inf,3\n", "one_counts.csv:2: open 'inf' is not a number of items"),
        (PLAN + "2020-01-07,7\n", "one_counts.csv:2: done '' is not a number of items"),
        (PLAN + "2020-01-07,7,1e9\n", "one_counts.csv:2: done 1e9 is more than 100,000 items"),
        (PLAN.replace("m1", "") + "2020-01-07,7,3\n", "one_counts.csv:2: milestone is empty"),
        (PLAN.replace("14,", "99,") + "2020-01-07,7,3\n", "one_counts.csv:2: due '2020-01-99' is not a date"),
        (ROWS[0] * 2, "one_counts.csv:3: at '2020-01-01T08:00:00Z' is the time of another row"),
        (ROWS[0] + ROWS[1].replace("TI", "XY"), "one_counts.csv:2: stream 'TI/main' is 'XY/main' in another row"),
    ],
)
def test_a_bad_row_is_named_with_file_row_and_column(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(HistoryError, match=message.replace(".", r"\.")):
        read_histories([written(tmp_path, row)])


def test_a_file_with_other_columns_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"one_counts\.csv:1: no column done, open"):
        read_histories([written(tmp_path, header="milestone,kind,stream,start,due,at\n")])
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HistoryError, match=r"table\.csv:1: no column at, done"):
        read_histories([str(tmp_path / "table.csv")])


def test_milestones_whose_counts_end_too_early_are_left_out(tmp_path: Path) -> None:
    early = "m2,sprint,TI/main,2020-01-01,2020-01-12,2020-01-06,5,5\n"
    finished = early.replace("m2", "m3").replace(",5,5", ",0,5")
    running = early.replace("m2", "m4").replace("2020-01-12", "2020-03-12")
    history = read_histories([written(tmp_path, *ROWS, early, finished, running)])
    assert [container.id for container in history.containers] == ["one/m1", "one/m3", "one/m4"]
    assert history.unfinished == 1


def test_questions_are_asked_at_the_nearest_row_and_not_before_the_first(tmp_path: Path) -> None:
    late = "m2,sprint,TI/main,2020-01-01,2020-01-14,2020-01-08T01:00:00Z,5,5\n"
    history = read_histories([written(tmp_path, *ROWS, late.replace("2020-01-14", "2020-01-15"))])
    observed = {name: np.array([days(at) for at in times]) for name, times in history.observed.items()}
    asked = questions(history.ledger, np.array([True, True]), (0.25, 0.5), observed)
    first, second = history.ledger.start
    assert asked.index.tolist() == [0, 0, 1]
    assert asked.at.tolist() == pytest.approx([first + 3.5, first + 6.5, second + 7 + 1 / 24])
    setup = BacktestSetup(float(first) + 10, Calendar.plain(), observed)
    assert setup.known_until(history.ledger).tolist() == pytest.approx([first + 10, second + 7 + 1 / 24])


def test_counts_are_scored_and_methods_that_need_single_closures_are_left_out(tmp_path: Path) -> None:
    rows = []
    for k in range(16):
        start = START + timedelta(days=14 * k)
        plan = f"s{k},sprint,team,{start.date()},{(start + timedelta(days=13)).date()},"
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            done = round(8 * share) if k % 3 else round(6 * share)
            rows.append(f"{plan}{(start + timedelta(days=14 * share)).isoformat()},{8 - done},{done}\n")
    result = run_backtest([written(tmp_path, *rows)])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["tau0"]["pool"]["n"] > 30
    assert set(result["left_out"]["methods"]) == BY_CLOSURE
    for method, figures in result["tau0"].items():
        assert (figures["brier"] is None) == (method in BY_CLOSURE)
    assert result["dates"]["n"] == 0
    shown = StringIO()
    render(result, Console(file=shown, width=100))
    assert shown.getvalue().startswith("Counts have no single closures")
