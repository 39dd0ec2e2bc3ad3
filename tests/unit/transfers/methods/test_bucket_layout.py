"""Buckets are laid out as Orthanc's senders do it, which was captured."""

from __future__ import annotations

import pytest

from transfers.methods.bucket_layout import lay_out, loads_of
from transfers.wire.accelerator import Chunk, PushedInstance

KIB = 1024


def instances(*sizes: int) -> list[PushedInstance]:
    return [PushedInstance(f"{number:02}", size, "0" * 32) for number, size in enumerate(sizes)]


def sizes_of(*sizes: int, target: int = 16 * KIB) -> list[list[int]]:
    return [[chunk.size_bytes for chunk in bucket] for bucket in lay_out(instances(*sizes), target)]


def test_the_captured_study_is_laid_out_as_orthanc_did() -> None:
    """39,206 bytes at a target of 16 KiB, and five instances of 3.9 KB."""
    small = [PushedInstance(f"{key}-", size, "0" * 32) for key, size in zip("0123f", [3936] * 4 + [3938], strict=True)]
    large = PushedInstance("f689ddd2", 39206, "ccf71ca6735bc1c52fbe33e29eb42886")

    first, second, third = lay_out([large, *reversed(small)], 16 * KIB)

    assert first == (Chunk("f689ddd2", 0, 19603),)
    assert second == (Chunk("f689ddd2", 19603, 19603),)
    assert [chunk.key for chunk in third] == ["0-", "1-", "2-", "3-", "f-"]
    assert sum(chunk.size_bytes for chunk in third) == 19682


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((100,), [[100]]),
        ((16383, 1, 1), [[16383, 1], [1]]),
        ((16384,), [[16384]]),
        ((32767,), [[32767]]),
        ((32768,), [[32768]]),
        ((32769,), [[16384], [16385]]),
        ((100_001,), [[25000], [25000], [25000], [25001]]),
        ((8000, 20_000, 9000), [[20_000], [8000, 9000]]),
    ],
)
def test_large_ones_are_cut_and_small_ones_collected(sizes: tuple[int, ...], expected: list[list[int]]) -> None:
    assert sizes_of(*sizes) == expected


def test_nothing_is_laid_out_in_no_bucket() -> None:
    assert lay_out([]) == ()
    assert list(loads_of(())) == []


@pytest.mark.parametrize("target", [1, 7, 1000, 16 * KIB])
def test_every_byte_is_in_one_bucket(target: int) -> None:
    study = instances(1, 2, 999, 1000, 1001, 1999, 2000, 2001, 50_000, 7, 13)

    chunks = [chunk for bucket in lay_out(study, target) for chunk in bucket]

    for each in study:
        own = sorted(chunk for chunk in chunks if chunk.key == each.key)
        ends = [chunk.offset + chunk.size_bytes for chunk in own]
        assert [chunk.offset for chunk in own] == [0, *ends[:-1]]
        assert ends[-1] == each.size_bytes


def test_the_parts_of_one_instance_are_one_load() -> None:
    buckets = lay_out(instances(100_000, 40_000, 20_000, 10, 10), 16 * KIB)

    assert list(loads_of(buckets)) == [range(4), range(4, 6), range(6, 7), range(7, 8)]
