"""Which transfers wait for somebody who knows: a report that did not come, a study that is not whole any more."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from transfers.models import CommitmentRequest


def overdue() -> Q:
    """Transfers whose report of storage commitment did not come in time, unless they were asked again since."""
    later = CommitmentRequest.objects.filter(transfer=OuterRef("transfer"), created_at__gt=OuterRef("created_at"))
    unanswered = CommitmentRequest.objects.filter(is_overdue=True).exclude(Exists(later))
    return Q(pk__in=unanswered.values("transfer"))


def missing() -> Q:
    """Transfers whose study had been committed and was found to lack instances, until somebody has seen it."""
    return Q(missing_since__isnull=False)
