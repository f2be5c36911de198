"""A token that a tracker quotes, and titles of issues, reach no trace, no metric and no record of a run."""

from __future__ import annotations

from pathlib import Path

from tests.message_servers import Chat, serving
from tests.proof import TIMEOUT
from tests.siege.commands import Commands
from tests.siege.mutations import MUTATIONS
from tests.siege.proxy import Plan
from tests.siege.siege import TITLE, TOKEN, Siege

pytestmark = TIMEOUT

QUOTING = [mutation for mutation in MUTATIONS if mutation.name == "the request is quoted in an error"]


def test_no_canary_leaves_by_traces_metrics_or_the_record_of_a_run(tmp_path: Path) -> None:
    """`run --json` is what the example of cron keeps as last-run.json."""
    with serving(Chat()) as collector, Commands() as commands:
        traces = f'\n[traces]\nendpoint = "http://{collector.address}/v1/traces"\n'
        with Siege.start(tmp_path / "siege", commands, more=traces) as siege:
            for rate in (0.0, 0.3, 1.0):
                for tracker, proxy in zip(siege.trackers, siege.proxies, strict=True):
                    proxy.plan = Plan(tracker.kind, QUOTING, rate, counts=siege.counts)
                done = siege.command("run", "--first-run", "--json", "-v", seed=f"rate {rate}")
                assert done is not None
                assert TITLE not in done.out
            siege._judge_files("afterwards")
        assert siege.counts["the request is quoted in an error"] >= len(siege.trackers)
        assert siege.findings == []
        spans = b"".join(body for _, body in collector.heard)
        assert b"request" in spans
        assert TOKEN.encode() not in spans
        assert TITLE.encode() not in spans
