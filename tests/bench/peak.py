"""The peak of this process's resident set."""

from __future__ import annotations

import re
from pathlib import Path


def peak_megabytes() -> float:
    """Since the program began: what `getrusage` says includes the process that started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1024
