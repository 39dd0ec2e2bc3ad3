"""One study that is sent by one method, and what became of it: what is said, and what is so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings

from audit.entries import ManifestEntry, StudyManifest
from audit.models import Evidence
from tests.datasets import data_set_bytes, write_study
from tests.fakes.chaos import Chaos, Plan, undisturbed
from tests.peers.process import HOST
from tests.routes import Route, held
from transfers import services
from transfers.leases import this_process
from transfers.management.outcome import await_commitments, listening
from transfers.methods.base import ReconnectPolicy
from transfers.models import Transfer
from transfers.runner import run_transfer
from transfers.states import State

POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=0.05)
SOON: dict[str, Any] = {"connect_timeout_seconds": 1, "dimse_timeout_seconds": 0.4, "network_timeout_seconds": 0.4}

MakeRoute = Callable[..., Route]


@dataclass
class Case:
    """One study, and what became of sending it."""

    route: Route
    paths: Sequence[Path]
    entries: list[ManifestEntry] = field(init=False)
    transfer: Transfer = field(init=False)
    there: dict[str, list[bytes]] = field(init=False)
    """What the destination has of it in the end."""

    def __post_init__(self) -> None:
        self.entries = self.route.entries(self.paths)
        contents = map(data_set_bytes, self.paths)
        self._wanted = dict(zip((entry.sop_instance_uid for entry in self.entries), contents, strict=True))

    def send(self, *, reports: Plan = undisturbed, asked_at_side: bool = False, **fields: Any) -> Case:
        """`reports`: what is done to the connections by which a commitment is reported to us."""
        verify = fields.pop("verify", "presence")
        source_fields = fields.pop("source", {})
        destination = self.route.saved_destination(commitment_timeout_seconds=0.7, **fields)
        if asked_at_side:
            destination.ask_at.add(self.route.saved_side())
        self.transfer = services.create_transfer(
            StudyManifest(self.entries[0].study_instance_uid, tuple(self.entries)),
            destination=destination,
            method=self.route.key,
            verify=verify,
            worker=this_process(),
        )
        self.transfer.source = self.route.saved_source(**source_fields)
        self.transfer.save(update_fields=["source"])
        self._run(reports)
        return self

    def look(self) -> Case:
        """Into the destination."""
        self.there = held(self.route.destination, self.transfer.study_instance_uid)
        return self

    def ask_again(self) -> Case:
        services.reverify(self.transfer, "presence", this_process())
        self._run(undisturbed)
        return self

    def _run(self, reports: Plan) -> None:
        asks = self.transfer.asks_commitment
        with listening(asks), Chaos(settings.DICOM_PORT, reports) as chaos:
            if asks:
                self.route.destination.add_modality("TALLYMAN", ("TALLYMAN", HOST, chaos.port))
            run_transfer(self.transfer)
            await_commitments([self.transfer], Event())
        self.transfer.refresh_from_db()

    @property
    def verdicts(self) -> dict[str, str]:
        rows = self.transfer.audit.instances.order_by("position")
        return dict(rows.values_list("sop_instance_uid", "verdict"))

    def kinds(self, entry: ManifestEntry) -> list[str]:
        rows = Evidence.objects.filter(instance__sop_instance_uid=entry.sop_instance_uid)
        return list(rows.order_by("id").values_list("kind", flat=True))

    def false_verdicts(self) -> dict[str, tuple[str, bool, list[str]]]:
        """Of which instances the audit says what is not so: its verdict, whether it is there, and the evidence."""
        false = {}
        for entry in self.entries:
            uid = entry.sop_instance_uid
            verdict, copies = self.verdicts[uid], [copy == self._wanted[uid] for copy in self.there.get(uid, [])]
            is_there = bool(copies) and all(copies)
            if (verdict == "confirmed" and not is_there) or (verdict == "refuted" and any(copies)):
                false[uid] = (verdict, is_there, self.kinds(entry))
        return false

    def assert_true(self) -> None:
        self.look()
        assert self.transfer.state == State.FINISHED
        assert self.false_verdicts() == {}
        if self.transfer.verdict == "committed":
            assert self.there.keys() == set(self.verdicts)


def study(folder: Path, instances: int = 12, *, size_bytes: int = 20_000, patient_id: str = "TEST") -> list[Path]:
    return write_study(folder, instances, 2, size_bytes=size_bytes, patient_id=patient_id)


def once(action: Callable[[], None], after_bytes: int) -> Callable[[int], None]:
    """Do it when so many bytes have gone to the destination."""
    begun: list[int] = []

    def watch(total: int) -> None:
        if total >= after_bytes and not begun:
            begun.append(total)
            action()

    return watch
