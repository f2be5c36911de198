"""The figures that `make proof` writes, and the cases in which it writes none."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest

from tests.proof import BEGIN, END, Row, Tally, replaced, section


def report(
    name: str, outcome: Literal["passed", "failed", "skipped"] = "passed", when: Literal["setup", "call"] = "call"
) -> pytest.TestReport:
    location = ("tests/t.py", 1, name)
    counted = [("scripts", 40), ("runs", 7)] if when == "call" else []
    return pytest.TestReport(
        f"tests/t.py::{name}", location, {}, outcome, None, when, user_properties=counted, duration=2
    )


def test_the_cases_of_a_proof_are_added_up() -> None:
    tally = Tally()
    for name in ("test_a[1]", "test_a[2]", "test_b"):
        tally.pytest_runtest_logreport(report(name, when="setup"))
        tally.pytest_runtest_logreport(report(name))
    assert tally.whole(0)
    said = section(tally.rows, on=date(2026, 11, 22), seconds=150, workers=2, versions="Python 3")
    assert said.splitlines() == [
        "`make proof` of 2026-11-22, Python 3, 2 workers: 2 minutes.",
        "",
        "| proof | counted | seconds |",
        "|---|---|---|",
        "| `tests/t.py::test_a` | 80 scripts, 14 runs | 4 |",
        "| `tests/t.py::test_b` | 40 scripts, 7 runs | 2 |",
    ]


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
@pytest.mark.parametrize("when", ["setup", "call"])
def test_one_that_did_not_pass_makes_it_less_than_whole(
    outcome: Literal["failed", "skipped"], when: Literal["setup", "call"]
) -> None:
    tally = Tally()
    tally.pytest_runtest_logreport(report("test_a"))
    tally.pytest_runtest_logreport(report("test_b", outcome, when))
    assert not tally.whole(0)
    assert tally.missing == [f"tests/t.py::test_b ({outcome})"]


def test_nothing_run_or_broken_off_is_not_whole() -> None:
    assert not Tally().whole(0)
    tally = Tally()
    tally.pytest_runtest_logreport(report("test_a"))
    assert not tally.whole(pytest.ExitCode.INTERRUPTED)


def test_only_the_section_between_the_signs_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}after\n"
    assert replaced(page, "new\n") == f"before\n{BEGIN}\nnew\n\n{END}after\n"
    assert replaced(replaced(page, "x\n"), "new\n") == replaced(page, "new\n")
    with pytest.raises(ValueError, match="signs"):
        replaced("before\nafter\n", "new")


def test_a_row_that_counted_nothing_has_passed() -> None:
    said = section({"t": Row(seconds=0.4)}, on=date(2026, 1, 1), seconds=1, workers=2, versions="")
    assert said.endswith("| `t` | passed | 0 |\n")
