"""Whether a source holds more of a study than the manifest of its transfer: it is asked again once all was sent.

A study is never complete for good, so what came since is told, and can be sent; it changes no verdict.
"""

from __future__ import annotations

from threading import Event

from django.db import transaction
from django.utils import timezone

from audit.uids import uid_of
from transfers import queue
from transfers.errors import RequestError, SourceError, StudyNotAtSource
from transfers.models import Transfer
from transfers.passwords import PasswordUnreadable
from transfers.sources.orthanc_studies import instances_held

MOST_SECONDS = 10.0
"""How long the source may take to answer each question: a transfer that is done waits no longer to be judged."""


def ask_source_again(transfer: Transfer, stop: Event) -> None:
    """Note how many instances the source holds that are not in the manifest, with an event where there are any.

    Where it does not answer, or the study is gone from it, nothing is known (`source_grown_by` None), which is no fault
    of the transfer.
    """
    if transfer.source is None or not transfer.source_study_id:
        return
    try:
        endpoint = transfer.source.endpoint.hurried(connect_seconds=MOST_SECONDS, dimse_seconds=MOST_SECONDS)
        held = instances_held(endpoint, transfer.source_study_id, stop)
    except (RequestError, SourceError, StudyNotAtSource, PasswordUnreadable):
        _note(transfer, None)
        return
    known = set(transfer.audit.instances.values_list("sop_instance_uid", flat=True))
    _note(transfer, sum(_can_be_sent(uid) for uid in held - known))


def _can_be_sent(sop_instance_uid: str) -> bool:
    """What cannot is in no manifest, however old it is."""
    try:
        return bool(uid_of(sop_instance_uid.encode()))
    except ValueError:  # unsafe, or no text at all
        return False


def _note(transfer: Transfer, grown_by: int | None) -> None:
    now = timezone.now()
    with transaction.atomic():
        held = Transfer.objects.filter(pk=transfer.pk, worker=transfer.worker)
        if held.update(source_asked_at=now, source_grown_by=grown_by) and grown_by:
            queue.record_event(transfer, "source_grown", now, instances=grown_by)
    transfer.source_asked_at, transfer.source_grown_by = now, grown_by
