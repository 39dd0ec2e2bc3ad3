"""How instances are laid out in the buckets of a push transaction: as Orthanc's own senders do it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from transfers.wire.accelerator import Bucket, Chunk, PushedInstance

TARGET_BYTES = 4096 * 1024
"""Orthanc's default. No bucket holds twice as much."""


def lay_out(instances: Iterable[PushedInstance], target_bytes: int = TARGET_BYTES) -> tuple[Bucket, ...]:
    """The buckets: first those of large instances, then groups of small ones, both in the order of the keys.

    An instance of twice the target or more is cut into equal parts of less than that, the last of which takes what is
    left over; one of the target or more has a bucket of its own; smaller ones are collected until they reach it.
    """
    ordered = sorted(instances)
    large = (bucket for each in ordered if each.size_bytes >= target_bytes for bucket in _cut(each, target_bytes))
    small = [each for each in ordered if each.size_bytes < target_bytes]
    return (*large, *_groups(small, target_bytes))


def loads_of(buckets: Sequence[Bucket]) -> Iterator[range]:
    """The places of buckets that one reader fills one after another: the parts of one instance, else a single one."""
    start = 0
    for place in range(1, len(buckets) + 1):
        is_continued = place < len(buckets) and buckets[place][0].offset > 0
        if not is_continued:
            yield range(start, place)
            start = place


def _cut(instance: PushedInstance, target_bytes: int) -> Iterator[Bucket]:
    parts = -(-instance.size_bytes // (2 * target_bytes)) if instance.size_bytes >= 2 * target_bytes else 1
    size = instance.size_bytes // parts
    for part in range(parts - 1):
        yield (Chunk(instance.key, part * size, size),)
    offset = (parts - 1) * size
    yield (Chunk(instance.key, offset, instance.size_bytes - offset),)


def _groups(instances: Iterable[PushedInstance], target_bytes: int) -> Iterator[Bucket]:
    group: list[Chunk] = []
    total = 0
    for each in instances:
        group.append(Chunk(each.key, 0, each.size_bytes))
        total += each.size_bytes
        if total >= target_bytes:
            yield tuple(group)
            group, total = [], 0
    if group:
        yield tuple(group)
