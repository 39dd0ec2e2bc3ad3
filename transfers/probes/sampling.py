"""Which instances are compared where not all are: a sample that the destination cannot foresee. Pure."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from audit.entries import ManifestEntry


class _Ranked(NamedTuple):
    rank: float
    """Within its group, from 0 (drawn first) to 1."""
    draw: bytes
    entry: ManifestEntry


def sample_of(entries: Sequence[ManifestEntry], percent: float, seed: bytes) -> list[ManifestEntry]:
    """Return so many percent of the entries, rounded up and at least one, in their order.

    First one of each series and SOP class, as far as the number goes, then each such group in proportion. The same
    entries and seed (one an audit round, random and kept to ourselves) give the same sample.
    """
    count = min(len(entries), ceil(len(entries) * percent / 100)) or min(1, len(entries))
    groups = _groups(entries, seed)
    firsts = sorted((group[0] for group in groups), key=lambda ranked: ranked.draw)
    others = sorted((ranked for group in groups for ranked in group[1:]), key=lambda ranked: (ranked.rank, ranked.draw))
    chosen = {ranked.entry.sop_instance_uid for ranked in (firsts + others)[:count]}
    return [entry for entry in entries if entry.sop_instance_uid in chosen]


def _groups(entries: Sequence[ManifestEntry], seed: bytes) -> list[list[_Ranked]]:
    """The entries of each series and SOP class, drawn one after another."""
    drawn: dict[tuple[str, str], list[tuple[bytes, ManifestEntry]]] = defaultdict(list)
    for entry in entries:
        draw = hmac.digest(seed, entry.sop_instance_uid.encode(), "sha256")
        drawn[entry.series_instance_uid, entry.sop_class_uid].append((draw, entry))
    return [_ranked(sorted(group, key=lambda each: each[0])) for group in drawn.values()]


def _ranked(group: list[tuple[bytes, ManifestEntry]]) -> list[_Ranked]:
    return [_Ranked(place / len(group), draw, entry) for place, (draw, entry) in enumerate(group)]
