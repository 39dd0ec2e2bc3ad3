"""The grid of instances, with its legend and the same in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from transfers.grid import Run, count, draw, runs_in

RUNS_SAID = 8
_SAID = frozenset({"refuted", "unproven", "no-answer", "not-sent"})
"""What is not as it should be: of everything else the legend's numbers say enough."""
_VERDICTS = frozenset({"refuted", "unproven", "confirmed"})


def grid_context(
    cells: str,
    url_of: Callable[[Mapping[str, str]], str],
    opens_at: str,
    series_at: Callable[[Collection[int]], Mapping[int, int]],
) -> dict[str, Any]:
    """As `templates/transfers/_grid.html` wants it. `cells`: a letter an instance, see `audit.cells`.

    `series_at`: the numbers of the series that instances are of, by position, as far as there is anything to say.
    """
    runs = [run for run in runs_in(cells) if run.outcome in _SAID]
    said = runs[:RUNS_SAID]
    series = series_at([position for run in said for position in run.positions]) if said else {}
    return draw(cells)._asdict() | {
        "legend": list(_legend(cells, url_of)),
        "runs": [_in_words(run, series) for run in said],
        "more_runs": max(0, len(runs) - RUNS_SAID),
        "opens_at": opens_at,
    }


def _legend(cells: str, url_of: Callable[[Mapping[str, str]], str]) -> Iterator[dict[str, Any]]:
    for outcome, instances in reversed(count(cells).items()):
        url = url_of({"verdict": outcome}) if outcome in _VERDICTS else ""
        yield {"outcome": outcome, "label": outcome.replace("-", " "), "count": instances, "url": url}


def _in_words(run: Run, series: Mapping[int, int]) -> str:
    """ "38–40 refuted (series 2)", counted from 1 as in the table."""
    place = f"{run.first + 1:,}" if run.first == run.last else f"{run.first + 1:,}–{run.last + 1:,}"
    of_series = {series.get(each) for each in run.positions}
    where = f" (series {of_series.pop()})" if len(of_series) == 1 and None not in of_series else ""
    return f"{place} {run.outcome.replace('-', ' ')}{where}"
