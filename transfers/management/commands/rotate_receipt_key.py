"""`manage.py rotate_receipt_key`: sign receipts with a new key from now on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from audit.signing_keys import KeyUnusable
from transfers.management.base import wrong_usage
from transfers.receipts import receipt_keys


class Command(BaseCommand):
    help = "Make a new key for receipts. What the old one signed stays valid: its public half is kept."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        keys = receipt_keys()
        try:
            before = keys.rotate()
            now = keys.current().public
        except KeyUnusable as error:
            raise wrong_usage(str(error)) from None
        self.stdout.write(f"Receipts were signed with the key {before.key_id}; they stay valid.")
        self.stdout.write(f"From now on they are signed with the key {now.key_id}.")
        self.stdout.write(f"public key: {now.raw.hex()}")
        self.stdout.write(f"fingerprint (SHA-256): {now.fingerprint}")
