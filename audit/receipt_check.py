"""Checks a receipt by itself: no database, no network. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from audit.canonical import LinesDigest
from audit.escaping import printable
from audit.receipt_format import (
    ALGORITHM,
    COMMENT,
    FORMAT,
    INSTANCE,
    VERSION,
    evidence_line,
    manifest_line,
    signed_bytes,
)
from audit.signing_keys import NotAPublicKey, PublicKey, Signer, public_key_of

SignerOf = Callable[[PublicKey], Signer]


class Fault(StrEnum):
    """What is wrong with a receipt."""

    NOT_A_RECEIPT = "not-a-receipt"
    CHANGED = "changed"
    """After it was signed."""
    UNKNOWN_KEY = "unknown-key"
    """It is whole, but anybody can make a key."""


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What came of it."""

    fault: Fault | None
    says: str
    """In plain words."""
    statement: Mapping[str, Any] | None = None
    """What the receipt says; to be believed only where there is no fault."""
    key: PublicKey | None = None
    """That it says it was signed with."""

    @property
    def is_valid(self) -> bool:
        return self.fault is None

    @property
    def summary(self) -> dict[str, str]:
        """What it says in short, each with its name; only of a receipt without fault."""
        said = self.statement if self.is_valid and self.statement else {}
        return {name: text for name, path in _SUMMARY.items() if (text := _text_at(said, path))}


_SUMMARY = {
    "study": ("study_instance_uid",),
    "destination": ("destination", "name"),
    "address": ("destination", "address"),
    "transfer": ("transfer", "id"),
    "verdict": ("verdict",),
    "proof": ("proof",),
    "reason": ("reason",),
    "instances": ("counts", "instances"),
    "confirmed": ("counts", "confirmed"),
    "issued at": ("issued_at",),
}


def _text_at(value: Any, path: tuple[str, ...]) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else printable(str(value))


class _NotAReceipt(Exception):
    """Carries what is wrong with it, for people."""


@dataclass(frozen=True, slots=True)
class _Packet:
    """A receipt, taken apart."""

    statement: Mapping[str, Any]
    key: PublicKey
    signature: bytes
    digests: Mapping[str, str]
    """As they are now, of what is in the file."""


_DIGESTED = {
    "manifest_sha256": "the list of instances",
    "evidence_sha256": "the verdicts of the instances, or their evidence,",
    "rows_sha256": "the rows of the CSV file",
}


def check_receipt(content: bytes, signer_of: SignerOf, trusted: PublicKey | None = None) -> ReceiptCheck:
    """Whether this file is a receipt as it was signed, and by whom.

    `signer_of`: whose key it is, as far as this installation knows. `trusted`: a key that was had from elsewhere; then
    only that one will do.
    """
    try:
        packet = _read_csv(content) if not content.lstrip().startswith(b"{") else _read_json(content)
    except _NotAReceipt as error:
        return ReceiptCheck(Fault.NOT_A_RECEIPT, f"This is not a receipt: {error}")
    fault, says = _judge(packet, signer_of, trusted)
    return ReceiptCheck(fault, says, packet.statement, packet.key)


def _judge(packet: _Packet, signer_of: SignerOf, trusted: PublicKey | None) -> tuple[Fault | None, str]:
    if not packet.key.has_signed(signed_bytes(packet.statement), packet.signature):
        return Fault.CHANGED, "The statement, its key or its signature was changed after signing: they do not fit."
    for name, now in packet.digests.items():
        if packet.statement["digests"].get(name) != now:
            return (
                Fault.CHANGED,
                f"After signing {_DIGESTED[name]} was changed: {name} is another than what was signed.",
            )
    if trusted is not None:
        if trusted == packet.key:
            return None, "Signed with the key that you gave, and unchanged since."
        return Fault.UNKNOWN_KEY, "It is whole, but signed with another key than the one that you gave."
    signer = signer_of(packet.key)
    if signer is Signer.UNKNOWN:
        return Fault.UNKNOWN_KEY, (
            "It is whole, but signed with a key that is none of this installation's. Ask who issued it for the "
            "fingerprint of the key, over another way than the receipt came."
        )
    whose = "the key" if signer is Signer.CURRENT else "an earlier key"
    return None, f"Signed with {whose} of this installation, and unchanged since."


def _read_json(content: bytes) -> _Packet:
    document = _parsed(content)
    instances = document.get("instances")
    if not isinstance(instances, list):
        raise _NotAReceipt("it has no list of instances.")
    manifest, evidence = LinesDigest(), LinesDigest()
    try:
        for instance in instances:
            _expect_names(instance, INSTANCE)
            manifest.add([manifest_line(instance)])
            evidence.add([evidence_line(instance)])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _NotAReceipt("an instance in it lacks what a receipt says of each.") from error
    digests = {"manifest_sha256": manifest.hexdigest(), "evidence_sha256": evidence.hexdigest()}
    return _taken_apart(document, digests, ("statement", "instances", "signature"))


def _read_csv(content: bytes) -> _Packet:
    rows, found, last = content.rstrip(b"\r\n").rpartition(b"\n" + COMMENT)
    if not found:
        raise _NotAReceipt("it is neither JSON, nor CSV with a signature in its last line.")
    digests = {"rows_sha256": hashlib.sha256(rows + b"\n").hexdigest()}
    return _taken_apart(_parsed(last), digests, ("statement", "signature"))


def _expect_names(value: Mapping[str, Any], names: Collection[str]) -> None:
    """What has another name is not signed, and would be read all the same. Raises _NotAReceipt."""
    if value.keys() - set(names):
        raise _NotAReceipt("there is something in it that no receipt has, and that is not signed.")


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _NotAReceipt("it cannot be read as JSON.") from error
    if not isinstance(document, dict):
        raise _NotAReceipt("it is JSON of another kind.")
    return document


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that is there twice, one reader would believe the first and another one the last."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _NotAReceipt("a name is in it twice, and readers would not agree on which counts.")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _taken_apart(document: Mapping[str, Any], digests: Mapping[str, str], names: Collection[str]) -> _Packet:
    _expect_names(document, names)
    statement, signature = document.get("statement"), document.get("signature")
    if not isinstance(statement, dict) or statement.get("format") != FORMAT:
        raise _NotAReceipt("it has no statement of Tallyman's.")
    if statement.get("version") != VERSION:
        raise _NotAReceipt("it is of a later version; check it with a newer Tallyman.")
    if not isinstance(statement.get("digests"), dict):
        raise _NotAReceipt("its statement has no digests.")
    if not isinstance(signature, dict) or signature.get("algorithm") != ALGORITHM:
        raise _NotAReceipt(f"it has no {ALGORITHM} signature.")
    _expect_names(signature, ("algorithm", "key_id", "public_key", "value"))
    try:
        key = public_key_of(str(signature.get("public_key")).encode())
        value = bytes.fromhex(str(signature.get("value")))
    except (NotAPublicKey, ValueError) as error:
        raise _NotAReceipt("its key or its signature cannot be read.") from error
    if signature.get("key_id") != key.key_id:
        raise _NotAReceipt("the id of its key is not that of its key.")
    return _Packet(statement, key, value, digests)
