"""When a destination was asked to commit, about how much, until when its report is due, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler

from transfers.failure_reasons import failure_reason_text
from transfers.models import CommitmentReport, CommitmentRequest, Transfer


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the destination does not commit to some."""

    instances: int
    code: str
    """As the report has it; empty where it gives none."""
    text: str


@dataclass(slots=True)
class Asking:
    """What was asked in one go: some requests, each of which is reported on by itself."""

    asked_at: datetime
    instances: int = 0
    requests: int = 0
    waiting: int = 0
    """Instances whose report is still waited for."""
    due_at: datetime | None = None
    """When the last of these is due."""
    overdue: int = 0
    overdue_since: datetime | None = None
    not_taken: int = 0
    """Instances of requests that the destination did not take."""
    answered_at: datetime | None = None
    """When the last report came."""
    committed: int = 0
    failed: int = 0
    not_mentioned: int = 0
    reasons: list[Reason] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        """Whether the destination committed to all of it."""
        return self.committed == self.instances


@dataclass(frozen=True, slots=True)
class Orphan:
    """A report that was kept and not used."""

    at: datetime
    calling_ae_title: str
    because: str


def askings_of(transfer: Transfer) -> list[Asking]:
    """The newest first."""
    requests = list(
        transfer.commitment_requests.annotate(instances=_Length("sop_instance_uids"))
        .order_by("id")
        .defer("sop_instance_uids")
    )
    reports = _reports_on(requests)
    askings: dict[datetime, Asking] = {}
    for request in requests:
        asking = askings.setdefault(request.created_at, Asking(request.sent_at or request.created_at))
        _count(asking, request, reports.get(request.pk))
    _explain(askings, requests)
    return list(askings.values())[::-1]


def orphans_of(transfer: Transfer) -> list[Orphan]:
    """Reports that name a request of this transfer, and changed nothing; the newest first."""
    found = CommitmentReport.objects.filter(request__transfer=transfer).exclude(orphaned_because="")
    rows = found.order_by("-id").values_list("received_at", "calling_ae_title", "orphaned_because")
    return [Orphan(*row) for row in rows]


class _Length(Func):
    """How many elements a JSON list has."""

    output_field = IntegerField()
    function = "JSON_ARRAY_LENGTH"

    def as_postgresql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, Sequence[Any]]:
        return self.as_sql(compiler, connection, function="JSONB_ARRAY_LENGTH")


def _reports_on(requests: Sequence[CommitmentRequest]) -> dict[int, CommitmentReport]:
    """The last of each that counts, with how many it names; not with the lists themselves."""
    reports = CommitmentReport.objects.filter(request__in=requests, orphaned_because="").order_by("id")
    counted = reports.annotate(named_committed=_Length("committed"), named_failed=_Length("failed"))
    return {report.request_id or 0: report for report in counted.defer("committed", "failed")}


def _count(asking: Asking, request: Any, report: Any) -> None:
    asking.instances += request.instances
    asking.requests += 1
    if report is not None:
        asking.answered_at = max(report.received_at, asking.answered_at or report.received_at)
        asking.committed += report.named_committed
        asking.failed += report.named_failed
        asking.not_mentioned += max(0, request.instances - report.named_committed - report.named_failed)
    elif request.closed_at is None:
        asking.waiting += request.instances
        asking.due_at = max(request.due_at, asking.due_at or request.due_at)
    elif request.is_overdue:
        asking.overdue += request.instances
        asking.overdue_since = min(request.due_at, asking.overdue_since or request.due_at)
    else:
        asking.not_taken += request.instances


def _explain(askings: Mapping[datetime, Asking], requests: Sequence[CommitmentRequest]) -> None:
    """What the reports give as reasons, by how often they do."""
    if not any(asking.failed for asking in askings.values()):
        return
    created_at = {request.pk: request.created_at for request in requests}
    counted: dict[datetime, Counter[int | None]] = {}
    reports = CommitmentReport.objects.filter(request__in=requests, orphaned_because="").exclude(failed=[])
    newest = dict(reports.order_by("id").values_list("request_id", "failed"))
    for pk, failed in newest.items():
        counted.setdefault(created_at[pk or 0], Counter()).update(reason for _, _, reason in failed)
    for at, reasons in counted.items():
        askings[at].reasons = [
            Reason(count, "" if reason is None else f"0x{reason:04X}", failure_reason_text(reason))
            for reason, count in reasons.most_common()
        ]
