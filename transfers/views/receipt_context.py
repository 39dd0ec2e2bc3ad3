"""What the templates of receipts are given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from pydicom.uid import UID

from audit.judgements import Ground, InstanceVerdict
from audit.observations import EvidenceKind
from audit.plain_words import GROUND_WORDS, evidence_text
from audit.receipt_check import ReceiptCheck
from audit.receipts import Receipt
from audit.signing_keys import KeyFolder, PublicKey, Signer
from transfers.models import Transfer
from transfers.rows import chip_of
from transfers.wording import method_text, size_text

Context = dict[str, Any]
ROWS_SHOWN = 2_000
"""Of a larger study the page lists what is not confirmed; the files have everything."""


def receipt_context(transfer: Transfer, receipt: Receipt) -> Context:
    statement = receipt.statement
    lists_all = statement["counts"]["instances"] <= ROWS_SHOWN
    rows = receipt.instances() if lists_all else _unconfirmed(receipt)
    return {
        "public_id": transfer.public_id,
        "chip": chip_of(transfer),
        "statement": statement,
        "method": method_text(transfer.method) if transfer.method else "Nothing was sent: the destination was asked",
        "issued_at": datetime.fromisoformat(statement["issued_at"]),
        "audits": [_audit(each) for each in statement["audits"]],
        "instances": [_instance(row) for row in islice(rows, ROWS_SHOWN)],
        "lists_all": lists_all,
        "key": key_context(receipt.key),
    }


def key_context(key: PublicKey) -> Context:
    fingerprint = key.fingerprint
    return {
        "id": key.key_id,
        "public_key": key.raw.hex(),
        "fingerprint": fingerprint,
        "groups": [fingerprint[start : start + 8] for start in range(0, len(fingerprint), 8)],
    }


def keys_context(keys: KeyFolder) -> Context:
    """The keys of this installation, for comparison: none before the first receipt."""
    known = list(keys.known())
    current = [key for key in known if keys.signer(key) is Signer.CURRENT]
    return {
        "key": key_context(current[0]) if current else None,
        "earlier_keys": [key_context(key) for key in known if key not in current],
    }


def check_context(check: ReceiptCheck, name: str) -> Context:
    return {
        "check": {
            "name": name,
            "is_valid": check.is_valid,
            "tone": "success" if check.is_valid else "error",
            "title": "This receipt is valid" if check.is_valid else "This receipt is not to be believed",
            "says": check.says,
            "terms": list(check.summary.items()),
            "key": key_context(check.key) if check.key else None,
        }
    }


def _unconfirmed(receipt: Receipt) -> Iterator[dict[str, Any]]:
    return (row for row in receipt.instances() if row["verdict"] != InstanceVerdict.CONFIRMED)


def _audit(document: dict[str, Any]) -> Context:
    instants = {name: datetime.fromisoformat(document[name]) for name in ("opened_at", "sealed_at")}
    return document | instants


def _instance(row: dict[str, Any]) -> Context:
    return {
        "sop_instance_uid": row["sop_instance_uid"],
        "sop_class": UID(row["sop_class_uid"]).name,
        "size": size_text(row["size_bytes"]),
        "verdict": row["verdict"],
        "why": GROUND_WORDS[Ground(row["ground"])] if row["ground"] else "",
        "sha256": row["sha256"],
        "evidence": [
            {
                "at": datetime.fromisoformat(each["at"]),
                "text": evidence_text(EvidenceKind(each["kind"]), each["detail"]),
            }
            for each in row["evidence"]
        ],
    }
