"""Sends by the accelerator to its end, and keeps what was seen."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from threading import Event
from typing import Any

from audit.entries import ManifestEntry
from tests.fakes.accelerator import Accelerator as Peer
from tests.integration.transfers.methods.sending import FINAL, POLICY, Sent
from transfers.endpoints import OrthancEndpoint, Timeouts
from transfers.methods.accelerator import Accelerator
from transfers.methods.base import Checkpoint, ReconnectPolicy, SendContext
from transfers.methods.push_crew import THREAD_NAME
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles

TIMEOUTS = Timeouts(connect_seconds=2, dimse_seconds=5)


def context_of(
    peer: Peer | str,
    *,
    options: Mapping[str, Any] | None = None,
    policy: ReconnectPolicy = POLICY,
    stop: Event | None = None,
    source: InstanceSource | None = None,
    checkpoints: Sequence[Checkpoint] = (),
    present: Sequence[ManifestEntry] = (),
    timeouts: Timeouts = TIMEOUTS,
) -> SendContext:
    """`present`: what the destination lists when it is asked."""

    def missing(entries: Sequence[ManifestEntry]) -> list[ManifestEntry]:
        return [entry for entry in entries if entry not in present]

    return SendContext(
        OrthancEndpoint(peer if isinstance(peer, str) else peer.url, timeouts=timeouts),
        policy,
        options=options or {},
        stop=stop or Event(),
        source=source or LocalFiles(),
        checkpoints=tuple(checkpoints),
        missing=missing,
    )


def push(entries: Sequence[ManifestEntry], context: SendContext) -> Sent:
    """Send everything; the promises that hold for every send are asserted here."""
    sent = Sent()
    with closing(Accelerator().send(entries, context)) as seen:
        for each in seen:
            sent.add(each)
    for entry in entries:
        assert FINAL & set(sent.of(entry)), f"nothing final was said of {entry.sop_instance_uid}"
    assert not push_threads()
    return sent


def push_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME)]


def held(peer: Peer, entries: list[ManifestEntry]) -> int:
    """How many of these are there."""
    return len(peer.orthanc.instances() & {entry.sop_instance_uid for entry in entries})


def requests(peer: Peer) -> list[str]:
    """Without the transactions' IDs."""
    return [" ".join(filter(None, (each.split()[0], *each.split("/")[4:]))) for each in peer.received]
