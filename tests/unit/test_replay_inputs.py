"""The digest of the inputs of the back-test in the report: with equal digests, the result is the same."""

from __future__ import annotations

import random
from collections import defaultdict

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.site.calibration import ReplayResult, replay_forecasts, replay_inputs
from tests.days import day
from tests.ledgers import Given, container, ledger

LENGTH = 28.0


def milestone(rng: random.Random, number: int) -> Given:
    """Return the milestone of a series with this number; each begins a week after the one before."""
    begun = 7.0 * number
    closed = [begun + LENGTH * rng.uniform(0.1, 1.4) for _ in range(8)]
    return container(f"m{number}", begun, begun + LENGTH, ended=begun + 40), [(begun, at) for at in closed]


def test_the_back_test_is_the_same_while_its_inputs_are() -> None:
    rng = random.Random(4)
    results, states = defaultdict[str, set[ReplayResult]](set), 0
    for _ in range(4):
        history, at, tolerance, calendar = [milestone(rng, number) for number in range(16)], 100.0, 0.0, Calendar()
        for _ in range(30):
            match rng.choice(["time", "time", "items", "items", "due date", "tolerance", "calendar"]):
                case "time":
                    at += rng.uniform(0, 3)
                case "items":
                    number = rng.randrange(len(history))
                    history[number] = milestone(rng, number)
                case "due date":
                    number = rng.randrange(len(history))
                    moved = container(f"m{number}", 7.0 * number, 7.0 * number + LENGTH + rng.randint(1, 9))
                    history[number] = moved, history[number][1]
                case "tolerance":
                    tolerance = rng.choice([0.0, 0.2])
                case "calendar":
                    calendar = Calendar(country=rng.choice(["", "DE"]))
            tables = HistoryTables(ledger(history), Rules(tolerance=tolerance))
            results[replay_inputs(tables, day(at), calendar)].add(replay_forecasts(tables, day(at), calendar))
            states += 1
    assert {len(own) for own in results.values()} == {1}
    assert states - len(results) > 20
    assert len(set().union(*results.values())) > 40
