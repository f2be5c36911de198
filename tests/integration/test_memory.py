"""Threads share one arena of malloc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT_ARENAS = """
import sys, threading
from pathlib import Path
from sync.pull.memory import use_one_arena

if sys.argv[1] == "one":
    use_one_arena()
gate = threading.Barrier(4)

def allocate():
    kept = [bytearray(50_000) for _ in range(20)]
    gate.wait(20)
    return kept

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
arenas = 0
for line in Path("/proc/self/maps").read_text().splitlines():
    places, rights, *_ = line.split()
    start, end = (int(place, 16) for place in places.split("-"))
    arenas += rights == "---p" and 32 << 20 < end - start < 64 << 20  # what an arena has reserved and not used
print(arenas)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize("word", ["one", "many"])
def test_threads_share_an_arena(word: str) -> None:
    ended = subprocess.run([sys.executable, "-c", COUNT_ARENAS, word], capture_output=True, text=True, check=True)
    assert (int(ended.stdout) > 0) is (word == "many")
