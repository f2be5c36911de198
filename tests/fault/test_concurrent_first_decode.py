"""Threads that read a kind of answer for the first time together."""

from __future__ import annotations

import subprocess
import sys

FIRST_USE = """
import sys, threading
sys.setswitchinterval(1e-6)
from connectors.github import api_types
from connectors.shared.responses import Response, decode
body = b'{"data": {"repository": {"n1": null}}, "errors": [{"type": "NOT_FOUND", "path": ["a", 1]}]}'
kind = api_types.Reply[dict[str, dict[str, api_types.Issue | api_types.PullRequest | None] | None]]
together = threading.Barrier(8)
def read():
    together.wait()
    decode(Response(200, {}, body), kind, "x")
threads = [threading.Thread(target=read) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_threads_may_read_a_kind_of_answer_for_the_first_time_together() -> None:
    """msgspec then ends the process now and then, so it is tried several times, in processes of their own."""
    running = [subprocess.Popen([sys.executable, "-c", FIRST_USE]) for _ in range(6)]
    assert [process.wait() for process in running] == [0] * 6
