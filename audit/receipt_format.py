"""What a receipt is made of, and what is signed of it: see docs/receipts.md. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from audit.canonical import canonical

FORMAT = "tallyman-receipt"
VERSION = 1
ALGORITHM = "Ed25519"
COMMENT = b"# "
"""Begins the last line of a CSV receipt: the statement and its signature."""

_MANIFEST = ("sop_instance_uid", "sop_class_uid", "series_instance_uid", "transfer_syntax_uid", "size_bytes", "sha256")
_PROVED = ("sop_instance_uid", "verdict", "ground", "is_contradiction", "was_there_before", "evidence")
INSTANCE = tuple(dict.fromkeys((*_MANIFEST, *_PROVED)))
"""What a receipt says of each instance."""
COLUMNS = (*INSTANCE[:-1], "why", "evidence")
"""Of the CSV."""


def signed_bytes(statement: Mapping[str, Any]) -> bytes:
    """What the signature is of: the statement, in canonical JSON."""
    return canonical(statement).encode()


def manifest_line(instance: Mapping[str, Any]) -> str:
    """What `manifest_sha256` is taken of, a line an instance."""
    return canonical([instance[name] for name in _MANIFEST])


def evidence_line(instance: Mapping[str, Any]) -> str:
    """What `evidence_sha256` is taken of, a line an instance."""
    return canonical([instance[name] for name in _PROVED])


_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_line(cells: Sequence[object]) -> bytes:
    """One row; a text that a spreadsheet would take for a formula is put behind an apostrophe."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_harmless(cell) for cell in cells])
    return buffer.getvalue().encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell
