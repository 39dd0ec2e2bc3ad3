"""`manage.py verify_receipt`: check a receipt by itself, without a database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from audit.receipt_check import ReceiptCheck, check_receipt
from audit.signing_keys import NotAPublicKey, PublicKey, public_key_of
from transfers.management.base import wrong_usage
from transfers.receipts import receipt_keys


class Command(BaseCommand):
    """Needs no database: a receipt is worth something only if anybody can check it."""

    help = "Check the signature of a receipt, and that nothing in it was changed; exit 0 where it is valid, else 1."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a receipt, JSON or CSV; - reads standard input")
        parser.add_argument(
            "--public-key",
            metavar="FILE|HEX",
            help="the key that it must be signed with (default: one of this place's)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        trusted = _public_key(options["public_key"]) if options["public_key"] else None
        check = check_receipt(_read(options["file"]), receipt_keys().signer, trusted)
        self.stdout.write(f"{'Valid' if check.is_valid else 'Not valid'}. {check.says}")
        for line in _lines_of(check):
            self.stdout.write(line)
        if not check.is_valid:
            self.stdout.flush()
            sys.exit(1)


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise wrong_usage(f"{name} cannot be read: {error.strerror}.") from error


def _public_key(text: str) -> PublicKey:
    try:
        return public_key_of(Path(text).read_bytes() if Path(text).is_file() else text.encode())
    except (NotAPublicKey, OSError) as error:
        raise wrong_usage(str(error)) from None


def _lines_of(check: ReceiptCheck) -> list[str]:
    lines = [f"{name}: {value}" for name, value in check.summary.items()]
    if check.key is not None:
        lines.append(f"fingerprint of the key (SHA-256): {check.key.fingerprint}")
    return lines
