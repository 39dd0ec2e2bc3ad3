"""The receipt of a transfer: what its audit proves, with what was asked for, signed by this installation."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from django.conf import settings
from django.utils import timezone

from audit.receipts import Receipt
from audit.reports import iso_instant
from audit.signing_keys import KeyFolder
from transfers.models import Transfer
from transfers.reports import may_trust_stable_study

MAXIMUM_BYTES = 16_000_000
"""Of a receipt that is checked in the browser: read as JSON it takes ten to thirty times as much memory."""


class Form(StrEnum):
    JSON = "json"
    CSV = "csv"


def receipt_keys() -> KeyFolder:
    """The keys of this installation."""
    return KeyFolder(settings.DATA_DIR)


def receipt_of(transfer: Transfer) -> Receipt:
    """The receipt of its newest audit; to be closed.

    Raises AuditIsOpen where that is not sealed, KeyUnusable where the key cannot be used.
    """
    facts = {
        "transfer": {
            "id": str(transfer.public_id),
            "method": transfer.method,
            "verify": transfer.verify,
            "state": transfer.state,
            "created_at": iso_instant(transfer.created_at),
            "finished_at": iso_instant(transfer.finished_at) if transfer.finished_at else None,
            "input_sha256": transfer.manifest_sha256,
        },
        "destination": {"name": transfer.destination.name, "address": transfer.audit.destination_address},
        "destination_may_trust_stable_study": may_trust_stable_study(transfer),
    }
    return Receipt(transfer.audit, facts, receipt_keys().current(), timezone.now())


def parts_of(receipt: Receipt, form: Form) -> Iterator[bytes]:
    """The receipt as a file, bit by bit; it is closed at the end."""
    try:
        yield from receipt.csv() if form is Form.CSV else receipt.json()
    finally:
        receipt.close()
