"""A client of python-gitlab is made without its objects, and others in the process still get them."""

from __future__ import annotations

import subprocess
import sys

CLIENTS = """
import sys
import gitlab
from concurrent.futures import ThreadPoolExecutor
from connectors.gitlab.sdk import Client

def made(n):
    return Client(f"http://127.0.0.1:{n}", oauth_token="x")

with ThreadPoolExecutor(8) as pool:
    clients = list(pool.map(made, range(1, 33)))
print([name for name in sys.modules if name.startswith("gitlab.v4.")], {client.projects for client in clients})
print(type(gitlab.Gitlab("http://127.0.0.1:1").projects).__name__, type(made(2).projects).__name__)
"""


def test_our_clients_import_no_objects_and_others_get_the_real_ones() -> None:
    ended = subprocess.run([sys.executable, "-c", CLIENTS], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["[] {None}", "ProjectManager ProjectManager"]
