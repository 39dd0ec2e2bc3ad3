"""The only writer of audits: open, record, close. Everything shown of an audit was written here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection, models, transaction
from django.utils import timezone

from audit.chain import link_evidence, link_opening, link_sealing, link_was_there_before
from audit.chunks import chunks
from audit.entries import ManifestEntry, StudyManifest
from audit.judgements import Policy, WasThereBefore
from audit.judging import judge_audit
from audit.models import Audit, InstanceAudit
from audit.observations import EvidenceKind, Observation
from audit.rows import EvidenceRow, copy_instances, insert_evidence, insert_instances, write_digests
from audit.tallies import count_rows

BATCH_ROWS = 200
BATCH_SECONDS = 0.2

_LOCK = "UPDATE audit_audit SET revision = revision + 1 WHERE id = %s AND sealed_at IS NULL"


class AuditIsSealed(Exception):
    """The audit was closed by somebody else meanwhile; nothing was written to it."""


class AskedAt(NamedTuple):
    """The destination whose word an audit weighs."""

    public_id: UUID
    address: str


@transaction.atomic
def open_audit(
    study: StudyManifest, *, at: AskedAt, policy: Policy, files_left_out: int = 0, is_inquiry: bool = False
) -> Audit:
    """Write the audit of a study with a row an instance, before anything of it is sent."""
    audit = Audit.objects.create(
        destination_public_id=at.public_id,
        destination_address=at.address,
        is_inquiry=is_inquiry,
        study_instance_uid=study.study_instance_uid,
        acknowledgement_means_stored=policy.acknowledgement_means_stored,
        same_uid_means_same_content=policy.same_uid_means_same_content,
        files_left_out=files_left_out,
        opened_at=timezone.now(),
    )
    link_opening(audit, insert_instances(audit, study))
    return audit


@transaction.atomic
def continue_audit(before: Audit, policy: Policy) -> Audit:
    """Open the audit that comes after a sealed one: the same instances, judged over the evidence of both."""
    before.refresh_from_db(fields=["revision", "last_round"])
    audit = Audit.objects.create(
        continues=before,
        destination_public_id=before.destination_public_id,
        destination_address=before.destination_address,
        is_inquiry=before.is_inquiry,
        study_instance_uid=before.study_instance_uid,
        acknowledgement_means_stored=policy.acknowledgement_means_stored,
        same_uid_means_same_content=policy.same_uid_means_same_content,
        files_left_out=before.files_left_out,
        last_round=before.last_round,
        revision=before.revision + 1,
        opened_at=timezone.now(),
    )
    copy_instances(before, audit)
    link_opening(audit)
    return audit


def entries_of(instances: Iterable[InstanceAudit], study_instance_uid: str) -> Iterator[ManifestEntry]:
    """The manifest entries that were written down, for sending or asking again."""
    for instance in instances:
        yield ManifestEntry(
            sop_instance_uid=instance.sop_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            study_instance_uid=study_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            path=instance.path,
            member=instance.member,
            data_set_offset=instance.data_set_offset,
            data_set_size=instance.data_set_size,
            modified_ns=instance.modified_ns,
            file_size=instance.file_size,
            source_id=instance.source_id,
            file_md5=instance.file_md5,
            notes=tuple(instance.notes),
        )


class Ledger:
    """Writes evidence into one open audit, in batches. One thread, one process at a time."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self._instance_ids: dict[str, int] = dict(audit.instances.values_list("sop_instance_uid", "id"))
        self._round = audit.last_round
        self._rows: list[EvidenceRow] = []
        self._digests: dict[int, str] = {}
        self._flushed_at = time.monotonic()

    def begin_round(self) -> int:
        """Allot the next round: one for each send phase and each run of a probe."""
        self.flush()
        with transaction.atomic():
            self._lock()
            Audit.objects.filter(pk=self.audit.pk).update(last_round=models.F("last_round") + 1)
            self.audit.refresh_from_db(fields=["last_round"])
        self._round = self.audit.last_round
        return self._round

    def record(self, observation: Observation, of_round: int | None = None) -> None:
        """Take an observation; it is saved with its batch, within 200 rows or at the next `flush_if_due`.

        It belongs to the round begun last, or to an earlier one where it answers what was asked in that.

        Raises KeyError for an instance that is not in the manifest.
        """
        instance_id = self._instance_ids[observation.sop_instance_uid]
        detail = observation.detail
        if observation.kind is EvidenceKind.SENT and (sha256 := detail.get("sha256")):
            self._digests[instance_id] = sha256
        belongs_to = self._round if of_round is None else of_round
        self._rows.append(EvidenceRow(instance_id, observation.kind.value, belongs_to, observation.at, detail))
        if len(self._rows) >= BATCH_ROWS:
            self.flush()

    def flush_if_due(self) -> None:
        """Save what has waited for 0.2 s."""
        if self._rows and time.monotonic() - self._flushed_at >= BATCH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Save everything taken so far, in one transaction.

        Raises AuditIsSealed where another process has closed the audit meanwhile.
        """
        self._flushed_at = time.monotonic()
        if not self._rows:
            return
        with transaction.atomic():
            self._lock()
            link_evidence(self.audit, insert_evidence(self._rows))
            write_digests(self._digests)
        self._rows = []
        self._digests = {}

    def forget(self) -> None:
        """Drop what was taken and not saved: what it belongs to was undone."""
        self._rows = []
        self._digests = {}

    def note_was_there_before(self, listed: Iterable[str], not_known: Iterable[str]) -> None:
        """Write down what the first preflight found: yes for what is listed, no for the rest that could be asked."""
        noted: dict[str, list[int]] = {WasThereBefore.NO.value: list(self._instance_ids.values())}
        for answer, uids in ((WasThereBefore.YES, listed), (WasThereBefore.UNKNOWN, not_known)):
            noted[answer.value] = [self._instance_ids[uid] for uid in uids]
        self._note(noted)

    def note_came_from_elsewhere(self, listed: Iterable[str]) -> None:
        """Write down that these are there though nobody began to send them: whatever they hold is not ours."""
        self._note({WasThereBefore.YES.value: [self._instance_ids[uid] for uid in listed]})

    def _note(self, noted: Mapping[str, Sequence[int]]) -> None:
        """The ids of the instances with each answer; the later overrules the earlier."""
        with transaction.atomic():
            self._lock()
            rows = self.audit.instances
            for answer, ids in noted.items():
                if len(ids) == len(self._instance_ids):
                    rows.update(was_there_before=answer)
                    continue
                for chunk in chunks(ids):
                    rows.filter(pk__in=chunk).update(was_there_before=answer)
            link_was_there_before(self.audit, noted)

    def close(self) -> Audit:
        """Judge every instance and the study, and seal the audit."""
        self.flush()
        with transaction.atomic():
            self._lock()
            judge_audit(self.audit)
            self.audit.tally = count_rows(self.audit)
            self.audit.sealed_at = timezone.now()
            self.audit.save(update_fields=["verdict", "proof", "reason", "tally", "sealed_at"])
            link_sealing(self.audit)
        return self.audit

    def _lock(self) -> None:
        """Hold the audit's row until the end of the transaction, so that nobody seals it meanwhile."""
        with connection.cursor() as cursor:  # before each batch: the ORM's expression costs as much as thirty rows
            cursor.execute(_LOCK, [self.audit.pk])
            is_open = cursor.rowcount == 1
        if not is_open:
            raise AuditIsSealed(f"Audit {self.audit.public_id} was closed by another process.")
