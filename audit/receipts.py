"""Makes receipts: what a sealed audit proves, with its evidence, signed. See docs/receipts.md.

Nothing of the patient is in it: no path, no description, and none of the texts that a destination may have written.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any

from django.conf import settings

from audit.canonical import LinesDigest, canonical
from audit.chain import head_of
from audit.chunks import CHUNK_ROWS
from audit.escaping import IT_SAYS
from audit.judgements import Ground, InstanceVerdict
from audit.models import Audit
from audit.plain_words import GROUND_WORDS
from audit.receipt_format import (
    ALGORITHM,
    COLUMNS,
    COMMENT,
    FORMAT,
    INSTANCE,
    VERSION,
    csv_line,
    evidence_line,
    manifest_line,
    signed_bytes,
)
from audit.reports import instance_rows, iso_instant
from audit.signing_keys import PublicKey, SigningKey
from audit.tallies import count_rows

SPOOL_BYTES = 4_000_000
"""What is kept in memory of a receipt while its digests are taken; the rest lies in the data folder."""
FOREIGN_TEXTS = frozenset({"error_comment"})
"""Of the detail of evidence: what the destination wrote, which may be anything."""


class AuditIsOpen(Exception):
    """The transfer has not ended yet, or was never judged: there is a receipt once its audit is sealed."""

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


class Receipt:
    """The receipt of one sealed audit; its instances lie in a temporary file until it is closed."""

    def __init__(self, audit: Audit, facts: Mapping[str, Any], key: SigningKey, issued_at: datetime) -> None:
        """`facts`: what whoever sent says of the transfer; members of the statement.

        Raises AuditIsOpen.
        """
        if not audit.is_sealed:
            raise AuditIsOpen
        self._audit, self._key = audit, key
        self._comments: set[str] = set()
        """With what leads to them, as they stand in reasons."""
        self.statement: dict[str, Any] = {}
        """What is signed; it has the digests of the rest."""
        self._instances = _spool()
        digests = self._write_instances()
        self.statement = {
            "format": FORMAT,
            "version": VERSION,
            "issued_at": iso_instant(issued_at),
            **facts,
            "study_instance_uid": audit.study_instance_uid,
            "verdict": audit.verdict,
            "proof": audit.proof or None,
            "reason": self._without_comments(audit.reason),
            "files_left_out": audit.files_left_out,
            "counts": _counts_of(audit),
            "audits": [self._audit_document(each) for each in reversed(audit.chain())],
            "digests": digests,
        }

    @property
    def key(self) -> PublicKey:
        """That it is signed with."""
        return self._key.public

    def json(self) -> Iterator[bytes]:
        """The whole document."""
        yield b'{"statement": ' + json.dumps(self.statement, indent=1).encode() + b',\n"instances": [\n'
        self._instances.seek(0)
        separator = b""
        for line in self._instances:
            yield separator + line.rstrip(b"\n")
            separator = b",\n"
        yield b'\n],\n"signature": ' + json.dumps(self.signature_of(self.statement), indent=1).encode() + b"}\n"

    def csv(self) -> Iterator[bytes]:
        """A row an instance, then the statement and its signature as a comment."""
        digest = hashlib.sha256()
        for line in self._csv_rows():
            digest.update(line)
            yield line
        statement = self.statement | {"digests": self.statement["digests"] | {"rows_sha256": digest.hexdigest()}}
        signed = {"statement": statement, "signature": self.signature_of(statement)}
        yield COMMENT + canonical(signed).encode() + b"\r\n"

    def signature_of(self, statement: Mapping[str, Any]) -> dict[str, str]:
        public = self._key.public
        return {
            "algorithm": ALGORITHM,
            "key_id": public.key_id,
            "public_key": public.raw.hex(),
            "value": self._key.sign(signed_bytes(statement)).hex(),
        }

    def instances(self) -> Iterator[dict[str, Any]]:
        """As they are in the document."""
        self._instances.seek(0)
        return map(json.loads, self._instances)

    def close(self) -> None:
        self._instances.close()

    def _write_instances(self) -> dict[str, str]:
        manifest, evidence = LinesDigest(), LinesDigest()
        for instance in self._read_instances():
            manifest.add([manifest_line(instance)])
            evidence.add([evidence_line(instance)])
            self._instances.write(json.dumps(instance).encode() + b"\n")
        return {"manifest_sha256": manifest.hexdigest(), "evidence_sha256": evidence.hexdigest()}

    def _read_instances(self) -> Iterator[dict[str, Any]]:
        rows = self._audit.instances.order_by("position")
        last = -1
        while chunk := list(rows.filter(position__gt=last)[:CHUNK_ROWS]):
            for instance, row in zip(chunk, instance_rows(self._audit, chunk), strict=True):
                document = row | {"sha256": instance.sha256, "evidence": list(map(self._evidence, row["evidence"]))}
                yield {name: document[name] for name in INSTANCE}
            last = chunk[-1].position

    def _evidence(self, row: Mapping[str, Any]) -> dict[str, Any]:
        detail = row["detail"]
        if comment := detail.get("error_comment"):
            self._comments.add(f": “{comment}”")
        kept = {name: self._ours(value) for name, value in detail.items() if name not in FOREIGN_TEXTS}
        return {"kind": row["kind"], "at": row["at"], "round": row["round"], "detail": kept}

    def _ours(self, value: Any) -> Any:
        """What of a value of the detail we wrote ourselves: a reason may end with what the destination says."""
        if not isinstance(value, str):
            return value
        ours, says, comment = value.partition(IT_SAYS)
        if says:
            self._comments.add(says + comment)
        return ours

    def _without_comments(self, text: str) -> str:
        """The longest first, since one may be part of another."""
        for comment in sorted(self._comments, key=len, reverse=True):
            text = text.replace(comment, "")
        return text

    def _audit_document(self, audit: Audit) -> dict[str, Any]:
        head = head_of(audit.pk)
        assert audit.sealed_at is not None  # so are all that it continues
        return {
            "id": str(audit.public_id),
            "opened_at": iso_instant(audit.opened_at),
            "sealed_at": iso_instant(audit.sealed_at),
            "verdict": audit.verdict,
            "proof": audit.proof or None,
            "reason": self._without_comments(audit.reason),
            "counts": _counts_of(audit),
            "links": head.position + 1,
            "head_sha256": head.sha256,
        }

    def _csv_rows(self) -> Iterator[bytes]:
        yield csv_line(COLUMNS)
        for instance in self.instances():
            ground = instance["ground"]
            words = instance | {
                "why": GROUND_WORDS[Ground(ground)] if ground else "",
                "evidence": "; ".join(map(_in_a_cell, instance["evidence"])),
            }
            yield csv_line([words[name] for name in COLUMNS])


def _in_a_cell(evidence: Mapping[str, Any]) -> str:
    code = evidence["detail"].get("status_code") or evidence["detail"].get("code")
    said = f", {code}" if code else ""
    return f"{evidence['kind']} ({evidence['at']}, round {evidence['round']}{said})"


def _counts_of(audit: Audit) -> dict[str, int]:
    tally = audit.tally or count_rows(audit)
    return {name: tally.get(name, 0) for name in ("instances", *(verdict.value for verdict in InstanceVerdict))}


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES, dir=settings.FILE_UPLOAD_TEMP_DIR)
