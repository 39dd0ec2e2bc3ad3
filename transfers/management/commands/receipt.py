"""`manage.py receipt`: the signed receipt of a transfer."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from audit.receipts import AuditIsOpen
from audit.signing_keys import KeyUnusable
from transfers.management.base import TallymanCommand, wrong_usage
from transfers.models import Transfer
from transfers.receipts import Form, parts_of, receipt_of


class Command(TallymanCommand):
    help = "Print the signed receipt of a transfer that has ended, or write it to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("transfer", metavar="TRANSFER", help="its id")
        parser.add_argument("--format", choices=list(Form), default=Form.JSON, help="json (default) or csv")
        parser.add_argument("--output", metavar="FILE", help="where to write it; a file that is there is replaced")

    def run(self, **options: Any) -> None:
        transfer = _transfer_named(options["transfer"])
        try:
            receipt = receipt_of(transfer)
        except (AuditIsOpen, KeyUnusable) as error:
            raise wrong_usage(str(error)) from None
        parts = parts_of(receipt, Form(options["format"]))
        if options["output"]:
            _write_whole(Path(options["output"]), parts)
            self.stderr.write(f"Written to {options['output']}, signed with the key {receipt.key.key_id}.")
        else:
            for part in parts:
                self.stdout.write(part.decode(), ending="")


def _transfer_named(text: str) -> Transfer:
    try:
        return Transfer.objects.select_related("audit", "destination").get(public_id=UUID(text))
    except (ValueError, Transfer.DoesNotExist):
        raise wrong_usage(f"There is no transfer “{text}”.") from None


def _write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """All of it or nothing: a part of a receipt would look like one that was tampered with."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise wrong_usage(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        os.chmod(draft, 0o666 & ~_umask())
        os.replace(draft, path)
    except OSError as error:
        os.unlink(draft)
        raise wrong_usage(f"{path} cannot be written: {error.strerror}.") from error


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
