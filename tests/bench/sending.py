"""How fast instances are sent, and in how much memory: `python -m tests.bench.sending`."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from tests.bench.contenders import (
    CONTENDERS,
    DCMSEND,
    DCMSEND_ALONE,
    MANAGE_SEND,
    PYNETDICOM,
    US,
    US_WITH_ROWS,
    US_WITHOUT_SHA256,
    Contender,
)
from tests.bench.memory import peak_megabytes
from tests.bench.peers import DESTINATIONS, Destination, Running
from tests.bench.studies import Study, create_study

RUNS = 3
STUDIES = [("512 KB", 500, 524_288), ("8 KB", 2_000, 8_192)]
Seconds = dict[Contender, float]
"""The median of each program, for a whole study."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = [create_study(folder / label, label, count, size) for label, count, size in STUDIES]
        print("Instances per second, medians of 3; what takes 40 ms an instance is measured with a sample of 100.")
        _print_row("", "", *[contender.label for contender in CONTENDERS])
        rows = []
        for destination in DESTINATIONS:
            with destination.running(folder) as running:
                for study in studies:
                    seconds = _measure(study, destination, running)
                    rows.append((destination, study, seconds))
                    rates = [len(study.entries) / seconds[contender] for contender in CONTENDERS]
                    _print_row(destination.label, study.label, *[f"{rate:,.0f}" for rate in rates])
        _print_ratios(rows)
        _print_memory(folder)


def _measure(study: Study, destination: Destination, running: Running) -> Seconds:
    """Round by round, so that whatever else the machine does meets all programs alike."""
    seconds = defaultdict(list)
    for _ in range(RUNS):
        for contender in CONTENDERS:
            sent = study.sample() if contender.wants_sample(destination) else study
            running.forget()
            took = contender.seconds(sent, destination, running)
            seconds[contender].append(took * len(study.entries) / len(sent.entries))
    return {contender: median(each) for contender, each in seconds.items()}


def _print_ratios(rows: list[tuple[Destination, Study, Seconds]]) -> None:
    print("\nTimes as fast; and what `manage.py send` takes over the sending alone, in seconds.")
    heads = [
        "alone / dcmsend alone",
        "with rows / dcmsend",
        "us / dcmsend all",
        "manage.py / dcmsend",
        "manage.py / pynetdicom",
        "seconds over",
    ]
    _print_row("", "", *heads)
    for destination, study, seconds in rows:
        ratios = [
            seconds[DCMSEND_ALONE] / seconds[US_WITHOUT_SHA256],
            seconds[DCMSEND_ALONE] / seconds[US_WITH_ROWS],
            seconds[DCMSEND] / seconds[US],
            seconds[DCMSEND] / seconds[MANAGE_SEND],
            seconds[PYNETDICOM] / seconds[MANAGE_SEND],
            seconds[MANAGE_SEND] - seconds[US],
        ]
        _print_row(destination.label, study.label, *[f"{ratio:.2f}" for ratio in ratios])


def _print_memory(folder: Path) -> None:
    print("\nPeak of the resident set while reading and sending, in MB (wanted: less than 200).")
    cases = [("one instance of 1 GB", 1, 1 << 30), ("10,000 instances of 8 KB", 10_000, 8_192)]
    with DESTINATIONS[0].running(folder) as running:
        for label, count, size_bytes in cases:
            study = create_study(folder / label, label, count, size_bytes)
            _print_row(label, "", f"{peak_megabytes(study, running.endpoint):.0f}")


def _print_row(first: str, second: str, *cells: str) -> None:
    print(f"{first:<48}{second:>8}" + "".join(f"{cell:>24}" for cell in cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
