"""A sample is as large as asked for, spread, the same for the same seed, and another one for another seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entries import ManifestEntry
from transfers.probes.sampling import sample_of

ENTRY = ManifestEntry("", "", "1.2", "", "1.2.840.10008.1.2.1", "/file", "", 0, 0, 0, 0)
SEED = b"a seed that nobody else knows"


def entries_of(*series: tuple[str, str, int]) -> list[ManifestEntry]:
    """So many instances of each series and SOP class."""
    return [
        replace(ENTRY, sop_instance_uid=f"{uid}.{number}", series_instance_uid=uid, sop_class_uid=sop_class)
        for uid, sop_class, count in series
        for number in range(count)
    ]


GROUPS = st.lists(
    st.tuples(st.integers(1, 6).map("1.{}".format), st.sampled_from("CM"), st.integers(1, 30)), max_size=6
)


@given(GROUPS, st.floats(0.1, 100), st.binary(min_size=1))
def test_a_sample_is_as_large_as_asked_for_and_in_order(
    series: list[tuple[str, str, int]], percent: float, seed: bytes
) -> None:
    entries = list({entry.sop_instance_uid: entry for entry in entries_of(*series)}.values())

    sample = sample_of(entries, percent, seed)

    assert len(sample) == min(len(entries), max(1, ceil(len(entries) * percent / 100)))
    assert sample == [entry for entry in entries if entry in sample]
    assert sample == sample_of(entries, percent, seed)


def test_all_is_all() -> None:
    entries = entries_of(("1.1", "C", 20))

    assert sample_of(entries, 100, SEED) == entries


def test_of_nothing_there_is_no_sample() -> None:
    assert sample_of([], 15, SEED) == []


def test_each_series_and_sop_class_has_a_part_where_the_number_goes_so_far() -> None:
    entries = entries_of(("1.1", "C", 60), ("1.2", "C", 30), ("1.3", "M", 5), ("1.3", "S", 1), ("1.4", "S", 1))

    sample = sample_of(entries, 15, SEED)

    assert {(entry.series_instance_uid, entry.sop_class_uid) for entry in sample} == {
        ("1.1", "C"),
        ("1.2", "C"),
        ("1.3", "M"),
        ("1.3", "S"),
        ("1.4", "S"),
    }


def test_the_rest_is_spread_in_proportion() -> None:
    entries = entries_of(("1.1", "C", 200), ("1.2", "C", 100))

    counts = Counter(entry.series_instance_uid for entry in sample_of(entries, 10, SEED))

    assert counts["1.1"] == pytest.approx(20, abs=1)
    assert counts["1.2"] == pytest.approx(10, abs=1)


def test_another_seed_is_another_sample() -> None:
    entries = entries_of(("1.1", "C", 200))

    samples = {tuple(sample_of(entries, 10, bytes([number]))) for number in range(20)}

    assert len(samples) == 20


def test_over_many_rounds_everything_has_its_turn() -> None:
    entries = entries_of(("1.1", "C", 40))

    drawn = Counter(entry for number in range(300) for entry in sample_of(entries, 10, number.to_bytes(2)))

    assert drawn.keys() == set(entries)
    assert max(drawn.values()) < 3 * min(drawn.values())
