"""The real Titanium history through the whole way: loaded into the sandbox's Jira, pulled over HTTP, counted."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.subprocesses import ENVIRONMENT, sandbox

DATA = Path(__file__).parents[3] / "shared" / "data"
AS_OF = date(2014, 3, 15)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real history, ../shared/data, is not here"),
]


def direct() -> dict[str, tuple[int, int, int]]:
    """Open, closed and added of every version with a release date, straight from the CSV files.

    A member if created by then; closed if resolved by then with any resolution, or, where a closed issue was never
    resolved, since its creation; added if created after the
    version's start: 14 days before due for a sprint, else the previous release, clipped to 28..150 days before due;
    if none was created by then, after the day on which the first was.
    """
    with (DATA / "jira_titanium_versions.csv").open(newline="") as file:
        versions = [row for row in csv.DictReader(file) if row["releaseDate"]]
    releases = defaultdict(set)
    for row in versions:
        if "sprint" not in row["name"].lower():
            releases[row["project"]].add(date.fromisoformat(row["releaseDate"]))
    starts = {}
    for row in versions:
        day = date.fromisoformat(row["releaseDate"])
        days = 14
        if "sprint" not in row["name"].lower():
            earlier = sorted(releases[row["project"]])
            n = bisect_left(earlier, day)
            days = min(max((day - earlier[n - 1]).days, 28), 150) if n else 90
        starts[row["id"]] = datetime.combine(day - timedelta(days=days - 1), time.min, UTC)
    end = datetime.combine(AS_OF, time.max, UTC)
    counts = {row["id"]: [0, 0, 0] for row in versions}
    joined = defaultdict(list)
    with gzip.open(DATA / "jira_titanium_issues.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            created = datetime.fromisoformat(row["created"])
            if created > end:
                continue
            ended = row["resolutiondate"] or (row["created"] if row["status_category"] == "done" else "")
            closed = bool(ended) and datetime.fromisoformat(ended) <= end
            for version in set(filter(None, row["fix_version_ids"].split("|"))) & counts.keys():
                counts[version][1 if closed else 0] += 1
                joined[version].append(created)
    for version, times in joined.items():
        first_day_end = datetime.combine(min(times).date() + timedelta(days=1), time.min, UTC)
        agreed_at = starts[version] if min(times) <= starts[version] else first_day_end
        counts[version][2] = sum(created > agreed_at for created in times)
    return {f"jira:{row['project']}/{row['name']}": tuple(counts[row["id"]]) for row in versions}  # type: ignore[misc]


def measured(config: Path) -> tuple[dict[str, Any], int, float]:
    """Run `plan --json` and return its document, its peak memory in MB, and its seconds."""
    words = ["milesync", "plan", "--as-of", AS_OF.isoformat(), "--json", "--config", str(config)]
    script = (
        "import pathlib, re, sys, time; from sync.cli import main; began = time.monotonic()\n"
        f"sys.argv = {words}\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code in (0, 2), end.code\n"
        # not getrusage: its peak begins with that of the process that started this one
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) // 1024\n"
        "print(f'\\n{peak} {time.monotonic() - began}', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    peak, seconds = done.stderr.strip().splitlines()[-1].split()
    return json.loads(done.stdout), int(peak), float(seconds)


def test_plan_as_of_a_past_day_counts_what_the_files_count(tmp_path: Path) -> None:
    """The memory is asserted; the time is only printed, since a busy machine proves nothing."""
    with sandbox(tmp_path, "--load", str(DATA), only=["jira"]) as config:
        document, peak, seconds = measured(config)
    rows = {row["id"]: row for row in document["milestones"]}
    expected = direct()
    assert len(expected) == 693
    assert expected.keys() <= rows.keys()
    found = {key: (rows[key]["open"], rows[key]["closed"], rows[key]["added"]) for key in expected}
    assert {key: (found[key], expected[key]) for key in expected if found[key] != expected[key]} == {}
    print(f"29,057 issues pulled, assessed and planned: {seconds:.1f} s, {peak} MB")
    assert peak < 300
