"""A transfer of which there are receipts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from audit.receipt_check import ReceiptCheck, check_receipt
from audit.signing_keys import PublicKey
from transfers import queue
from transfers.models import Transfer
from transfers.receipts import Form, parts_of, receipt_keys, receipt_of
from transfers.states import State

COMMENT = "DOE^JANE is not known here"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Settings) -> Path:
    """Keys of each test by themselves."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return Path(settings.DATA_DIR)


def end(transfer: Transfer) -> None:
    for state in (State.PREPARING, State.PREFLIGHT, State.SENDING, State.VERIFYING):
        queue.move(transfer, state)
    queue.end(transfer)
    transfer.refresh_from_db()


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    """Finished: two of three were acknowledged and found, one was refused with a comment that names somebody."""
    transfer = create()
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([], [])
    ledger.begin_round()
    now = timezone.now()
    for number in (1, 2, 3):
        sent = {"sha256": f"{number:064x}", "association": 1}
        ledger.record(Observation(f"2.25.1.{number}", EvidenceKind.SENT, now, sent))
    for number in (1, 2):
        ledger.record(Observation(f"2.25.1.{number}", EvidenceKind.ACKNOWLEDGED, now, {"status_code": "0x0000"}))
    refused = {"status_code": "0xA700", "meaning": "Refused: out of resources", "error_comment": COMMENT}
    ledger.record(Observation("2.25.1.3", EvidenceKind.REFUSED, now, refused))
    ledger.begin_round()
    for number in (1, 2):
        ledger.record(Observation(f"2.25.1.{number}", EvidenceKind.PRESENT, now))
    ledger.record(Observation("2.25.1.3", EvidenceKind.ABSENT, now))
    ledger.close()
    end(transfer)
    return transfer


def written(transfer: Transfer, form: Form = Form.JSON) -> bytes:
    return b"".join(parts_of(receipt_of(transfer), form))


def check(content: bytes, trusted: PublicKey | None = None) -> ReceiptCheck:
    return check_receipt(content, receipt_keys().signer, trusted)


@pytest.fixture
def document(transfer: Transfer) -> dict[str, Any]:
    return dict(json.loads(written(transfer)))
