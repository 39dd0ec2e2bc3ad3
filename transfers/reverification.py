"""Asks again about studies that were committed, so many days later as the policy of the destination says."""

from __future__ import annotations

from datetime import datetime

from transfers import queue, services
from transfers.models import Transfer

AT_ONCE = 50
"""Taken up in one look, so that a thousand that fall due together do not fill the queue before new transfers."""


def take_up_what_is_due(now: datetime) -> None:
    """Queue what is to be asked about again; a destination that is another archive by now is not asked."""
    due = Transfer.objects.filter(reverify_at__lte=now).select_related("destination", "audit")
    for transfer in due.order_by("reverify_at")[:AT_ONCE]:
        _take_up(transfer)


def _take_up(transfer: Transfer) -> None:
    verify = transfer.destination.verify if transfer.destination.verify != "none" else "presence"
    try:
        services.reverify(transfer, verify, by="the policy of the destination")
    except (services.DestinationMoved, queue.TransferIsHeld):
        Transfer.objects.filter(pk=transfer.pk).update(reverify_at=None)
