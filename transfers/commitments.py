"""Reports of storage commitment: kept as they come, and weighed against what was asked (PS3.4 J.3.3).

A report is in the database before it is answered. It becomes evidence at once where nobody holds its transfer, else
by whoever holds it, and in any case when somebody looks for what was left (`weigh_what_is_left`). Its evidence belongs
to the round of the request that it answers, so that a late report never overrules what was asked since; but what is
read back settles only denials that had come by then.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from audit.escaping import without_nul
from audit.judgements import Policy
from audit.ledger import Ledger, continue_audit
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind, Observation
from transfers import ending, orphans, queue
from transfers.failure_reasons import DENYING, failure_reason_text
from transfers.models import CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.states import HELD, State
from transfers.wire import commitment

logger = logging.getLogger(__name__)

UNKNOWN_TRANSACTION = "unknown_transaction"
WRONG_AE_TITLE = "wrong_ae_title"
FOREIGN_INSTANCES = "foreign_instances"
REPEATED = "repeated"


def knows(calling_ae_title: str, called_ae_title: str) -> bool:
    """Whether an archive of this AE title may report to us under the name that it calls us by."""
    archives = Destination.objects.filter(kind="dicom")
    pairs = {(archive.called_ae_title.strip(), archive.own_ae_title) for archive in archives}
    return (calling_ae_title.strip(), called_ae_title.strip()) in pairs


def keep_report(report: commitment.CommitmentReport, *, calling_ae_title: str, peer_address: str = "") -> None:
    """Store a report; returns once it is committed. What it proves is weighed then, or later.

    One that answers nothing that was asked, or was asked of another, is kept as an orphan and proves nothing.

    Raises DatabaseError where it could not be stored: the destination is to send it again.
    """
    request = CommitmentRequest.objects.filter(transaction_uid=report.transaction_uid).first()
    because = _why_orphaned(report, request, calling_ae_title.strip())
    kept = CommitmentReport.objects.create(
        transaction_uid=without_nul(report.transaction_uid),
        event_type_id=report.event_type_id,
        calling_ae_title=calling_ae_title.strip(),
        peer_address=peer_address,
        committed=[list(each) for each in orphans.shortened(report.committed, because)],
        failed=[list(each) for each in orphans.shortened(report.failed, because)],
        received_at=timezone.now(),
        request=request,
        orphaned_because=because,
    )
    if request is not None and not because:
        weigh(request.transfer_id)
    else:
        orphans.note(kept)


def _why_orphaned(report: commitment.CommitmentReport, request: CommitmentRequest | None, calling_ae_title: str) -> str:
    if request is None:
        return UNKNOWN_TRANSACTION
    if calling_ae_title != request.called_ae_title:
        return WRONG_AE_TITLE
    named = {each.sop_instance_uid for each in report.committed} | {each.sop_instance_uid for each in report.failed}
    if not named <= set(request.sop_instance_uids):
        return FOREIGN_INSTANCES
    said = sorted(map(list, report.committed)), sorted(map(list, report.failed), key=repr)
    before = request.reports.filter(orphaned_because="")
    if any(said == (sorted(each.committed), sorted(each.failed, key=repr)) for each in before):
        return REPEATED
    return ""


def weigh_what_is_left(now: datetime) -> None:
    """Weigh what nobody could when it came, and close the requests whose reports are overdue.

    A transfer that cannot be weighed keeps no other from it. Raises OperationalError where the database is away.
    """
    for transfer_pk in _pks(CommitmentReport.objects.filter(weighed_at__isnull=True, orphaned_because="")):
        _weigh_if_possible(transfer_pk, now)
    for transfer_pk in _pks_of_due(now):
        _weigh_if_possible(transfer_pk, now)


def _weigh_if_possible(transfer_pk: int, now: datetime) -> None:
    try:
        weigh(transfer_pk, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception(
            "What was reported on a transfer could not be weighed by an error of ours; it is tried again",
            extra={"action": "not_weighed", "transfer": transfer_pk},
        )


def _pks(reports: QuerySet[CommitmentReport]) -> list[int]:
    return list(reports.order_by().values_list("request__transfer_id", flat=True).distinct())


def _pks_of_due(now: datetime) -> list[int]:
    due = CommitmentRequest.objects.filter(closed_at__isnull=True, due_at__lte=now)
    return list(due.exclude(transfer__state__in=HELD).order_by().values_list("transfer_id", flat=True).distinct())


@transaction.atomic
def weigh(transfer_pk: int, now: datetime | None = None) -> None:
    """Make evidence of the reports of a transfer that nobody holds, and finish it where it waited for these.

    What had ended already is judged anew, in an audit that continues the sealed one.
    """
    transfer = Transfer.objects.select_for_update().get(pk=transfer_pk)
    if State(transfer.state) in HELD:
        return  # whoever holds it weighs them before it ends
    if State(transfer.state) is State.AWAITING_COMMITMENT:
        ledger = Ledger(transfer.audit)
        weigh_with(ledger, transfer, now or timezone.now())
        if not is_awaited(transfer):
            ending.end(transfer, ledger)
        return
    if not _unweighed(transfer).exists():
        _close_overdue(transfer, None, now or timezone.now())
        return
    _weigh_late(transfer, now or timezone.now())


def weigh_with(ledger: Ledger, transfer: Transfer, now: datetime) -> None:
    """For whoever holds the transfer, within a transaction: everything that came, and what is overdue."""
    _record_reports(ledger, transfer, now)
    _close_overdue(transfer, ledger, now)
    ledger.flush()


def is_awaited(transfer: Transfer) -> bool:
    """Whether a report may still come in time."""
    return transfer.commitment_requests.filter(closed_at__isnull=True).exists()


def _weigh_late(transfer: Transfer, now: datetime) -> None:
    """The audit may have been sealed long ago, or be open because a run broke off."""
    was_sealed = transfer.audit.is_sealed
    if was_sealed:
        before = transfer.audit
        # What was declared of the archive at that time: the destination may be another one by now.
        policy = Policy(before.acknowledgement_means_stored, before.same_uid_means_same_content)
        transfer.audit = continue_audit(before, policy)
    ledger = Ledger(transfer.audit)
    weigh_with(ledger, transfer, now)
    if was_sealed:
        ledger.close()
        transfer.verdict = transfer.audit.verdict
        transfer.save(update_fields=["audit", "verdict"])
        ending.draw_conclusions(transfer, now)


def _unweighed(transfer: Transfer) -> QuerySet[CommitmentReport]:
    return CommitmentReport.objects.filter(request__transfer=transfer, weighed_at__isnull=True, orphaned_because="")


def _record_reports(ledger: Ledger, transfer: Transfer, now: datetime) -> None:
    for report in _unweighed(transfer).select_related("request"):
        assert report.request is not None, "an orphan is not weighed"
        sop_classes = _sop_classes(ledger, report.request)
        read_back = _read_back_before(report, report.request, ledger.audit) if report.failed else {}
        for seen in _observations(report, report.request, sop_classes):
            denies = seen.kind is EvidenceKind.COMMITMENT_REFUSED
            of_round = read_back.get(seen.sop_instance_uid, 0) if denies else 0
            ledger.record(seen, of_round=max(report.request.round, of_round))
        _answer(report, report.request, now)
        queue.record_event(
            transfer,
            "commitment_report",
            report.received_at,
            committed=len(report.committed),
            failed=len(report.failed),
            asked=len(report.request.sop_instance_uids),
        )


def _read_back_before(report: CommitmentReport, request: CommitmentRequest, audit: Audit) -> dict[str, int]:
    """SOP Instance UID → the newest round in which it was read back before this report came.

    That does not settle what is denied since: a denial is of that round at least, unless a newer question was answered.
    """
    newer = request.transfer.commitment_requests.filter(round__gt=request.round, answered_at__isnull=False)
    answered = {uid for uids in newer.values_list("sop_instance_uids", flat=True) for uid in uids}
    rows = Evidence.objects.filter(
        instance__audit__in=audit.chain(), kind__in=_READ_BACK, at__lte=report.received_at
    ).order_by()
    newest = rows.values_list("instance__sop_instance_uid").annotate(Max("round"))
    return {uid: of_round for uid, of_round in newest if uid not in answered}


_READ_BACK = (EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT)


def _answer(report: CommitmentReport, request: CommitmentRequest, now: datetime) -> None:
    CommitmentReport.objects.filter(pk=report.pk).update(weighed_at=now)
    request.answered_at = request.answered_at or report.received_at
    request.closed_at = request.closed_at or now
    request.is_overdue = False
    request.save(update_fields=["answered_at", "closed_at", "is_overdue"])


def _sop_classes(ledger: Ledger, request: CommitmentRequest) -> dict[str, str]:
    wanted = set(request.sop_instance_uids)
    rows = ledger.audit.instances.values_list("sop_instance_uid", "sop_class_uid")
    return {uid: sop_class_uid for uid, sop_class_uid in rows if uid in wanted}


def _observations(
    report: CommitmentReport, request: CommitmentRequest, sop_classes: Mapping[str, str]
) -> Iterator[Observation]:
    """One for each instance that was asked about, whatever the event type says; a failure outweighs a success."""
    failures, committed = _grouped(report.failed), _grouped(report.committed)
    for uid in request.sop_instance_uids:
        kind, detail = _said(uid, failures, committed, sop_classes)
        yield Observation(uid, kind, report.received_at, detail)


def _grouped(references: Iterable[list[Any]]) -> dict[str, list[list[Any]]]:
    """By SOP Instance UID: a report may list one more than once."""
    grouped = defaultdict(list)
    for reference in references:
        grouped[reference[1]].append(reference)
    return grouped


def _said(
    uid: str,
    failures: Mapping[str, list[list[Any]]],
    committed: Mapping[str, list[list[Any]]],
    sop_classes: Mapping[str, str],
) -> tuple[EvidenceKind, dict[str, Any]]:
    if uid in failures:
        reasons = [reason for _, _, reason in failures[uid]]
        reason = next((each for each in reasons if each in DENYING), reasons[0])
        kind = EvidenceKind.COMMITMENT_REFUSED if reason in DENYING else EvidenceKind.COMMITMENT_FAILED
        code = {} if reason is None else {"failure_reason": f"0x{reason:04X}"}
        return kind, {**code, "reason": failure_reason_text(reason)}
    if uid not in committed:
        return EvidenceKind.NOT_MENTIONED, {}
    if any(sop_class_uid != sop_classes.get(uid) for sop_class_uid, _ in committed[uid]):
        wrong = "It committed to this SOP Instance UID under another SOP class: what it holds is something else"
        return EvidenceKind.COMMITMENT_FAILED, {"reason": wrong, "code": "other_sop_class"}
    return EvidenceKind.COMMITTED, {}


def _close_overdue(transfer: Transfer, ledger: Ledger | None, now: datetime) -> None:
    """Without a ledger the audit is sealed, and nothing is written into it any more."""
    due = transfer.commitment_requests.filter(closed_at__isnull=True, due_at__lte=now)
    for request in due:
        request.closed_at, request.is_overdue = now, True
        request.save(update_fields=["closed_at", "is_overdue"])
        if ledger is None:
            continue
        # In a round of its own: within that of the request it would silence a report that comes late.
        of_round = ledger.begin_round()
        for uid in request.sop_instance_uids:
            ledger.record(Observation(uid, EvidenceKind.COMMITMENT_OVERDUE, now), of_round=of_round)
        queue.record_event(transfer, "commitment_overdue", now, asked=len(request.sop_instance_uids))
