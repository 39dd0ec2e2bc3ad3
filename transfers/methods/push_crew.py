"""The same work in several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

THREAD_NAME = "accelerator"


def side_by_side(threads: int, work: Callable[[], None]) -> None:
    """Do it in so many threads, and return once all have ended; then raises what the first of them raised."""
    with ThreadPoolExecutor(threads, THREAD_NAME) as pool:
        running = [pool.submit(work) for _ in range(threads)]
    for each in running:
        each.result()
