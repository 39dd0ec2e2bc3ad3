"""The commands that write and check receipts, and walk the ledger."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from audit.models import Audit
from tests.commands import run
from tests.guards import drop_guards
from tests.integration.transfers.receipts.conftest import written
from transfers.models import Transfer
from transfers.receipts import Form, receipt_keys

pytestmark = pytest.mark.django_db

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "receipts.md"


def test_the_command_prints_what_the_other_checks(transfer: Transfer, tmp_path: Path) -> None:
    printed = run("receipt", str(transfer.public_id))
    file = tmp_path / "receipt.json"
    file.write_text(printed.output, encoding="utf-8")

    checked = run("verify_receipt", file)

    assert (printed.exit_code, checked.exit_code) == (0, 0)
    assert checked.output.startswith("Valid. Signed with the key of this installation")
    assert "verdict: partial" in checked.output
    assert receipt_keys().current().public.fingerprint in checked.output


@pytest.mark.parametrize("form", list(Form))
def test_the_command_writes_a_file_whole(transfer: Transfer, tmp_path: Path, form: Form) -> None:
    file = tmp_path / "receipt"
    file.write_text("old")

    assert run("receipt", str(transfer.public_id), "--format", form, "--output", file).exit_code == 0

    assert run("verify_receipt", file).exit_code == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["receipt"]


def test_a_receipt_that_was_changed_is_refused_with_exit_status_1(transfer: Transfer, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(written(transfer).replace(b'"verdict": "refuted"', b'"verdict": "confirmed"'))

    checked = run("verify_receipt", file)

    assert checked.exit_code == 1
    assert "changed" in checked.output
    assert "verdict:" not in checked.output


def test_a_public_key_may_be_given_as_digits_or_as_a_file(transfer: Transfer, tmp_path: Path) -> None:
    file, pem = tmp_path / "receipt.json", tmp_path / "key.pem"
    file.write_bytes(written(transfer))
    key = receipt_keys().current().public
    pem.write_bytes(key.pem())

    codes = [
        run("verify_receipt", file, "--public-key", each).exit_code for each in (key.raw.hex(), pem, "ab" * 32, "x")
    ]

    assert codes == [0, 0, 1, 2]


def test_what_cannot_be_had_is_said(create: Callable[..., Transfer], tmp_path: Path) -> None:
    still_open = run("receipt", str(create().public_id))
    unknown = run("receipt", "00000000-0000-4000-8000-000000000000")
    missing = run("verify_receipt", tmp_path / "nothing")

    assert "once its audit is sealed" in still_open.output
    assert "There is no transfer" in unknown.output
    assert "cannot be read" in missing.output
    assert {still_open.exit_code, unknown.exit_code, missing.exit_code} == {2}


def test_the_key_is_rotated_by_a_command(transfer: Transfer, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(written(transfer))

    rotated = run("rotate_receipt_key")

    assert receipt_keys().current().public.fingerprint in rotated.output
    assert "an earlier key" in run("verify_receipt", file).output


def test_a_receipt_is_checked_where_there_is_no_database_nor_any_key(transfer: Transfer, tmp_path: Path) -> None:
    """As whoever received it does, elsewhere."""
    file = tmp_path / "receipt.json"
    file.write_bytes(written(transfer))
    key = receipt_keys().current().public.raw.hex()
    environment = {
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "TALLYMAN_DATA_DIR": str(tmp_path / "elsewhere"),
        "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/nowhere",
    }
    command = [sys.executable, "manage.py", "verify_receipt", str(file)]

    unknown = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    given = subprocess.run(
        [*command, "--public-key", key], check=False, env=environment, capture_output=True, text=True
    )

    assert (unknown.returncode, given.returncode) == (1, 0), unknown.stderr + given.stderr
    assert "none of this installation's" in unknown.stdout
    assert given.stdout.startswith("Valid. Signed with the key that you gave")


def test_the_program_in_the_documentation_checks_a_receipt(transfer: Transfer, tmp_path: Path) -> None:
    (program,) = re.findall(
        r"^```python\n(.*?)^```$", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    whole, other = tmp_path / "whole.json", tmp_path / "changed.json"
    whole.write_bytes(written(transfer))
    other.write_bytes(written(transfer).replace(b'"partial"', b'"committed"'))
    key = receipt_keys().current().public.raw.hex()

    ended = [
        subprocess.run([sys.executable, "-c", program, file, key], check=False, capture_output=True)
        for file in (whole, other)
    ]

    assert [each.returncode for each in ended] == [0, 1]
    assert b"InvalidSignature" in ended[1].stderr


# The ledger


def test_a_whole_ledger_is_said_to_be_one(transfer: Transfer) -> None:
    walked = run("verify_ledger")

    assert walked.exit_code == 0
    assert "Walked 1 audits" in walked.output
    assert "All is as it was written." in walked.output


def test_a_broken_ledger_is_told_in_words_and_as_json(transfer: Transfer) -> None:
    drop_guards()
    Audit.objects.update(verdict="committed")
    call_command("migrate", verbosity=0)  # which makes the guards again

    told, document = run("verify_ledger"), run("verify_ledger", "--json")

    assert (told.exit_code, document.exit_code) == (1, 1)
    assert f"Audit {transfer.audit.public_id}: The row of the audit was changed" in told.output
    (broken,) = document.document["broken"]
    assert (broken["kind"], broken["audit"]) == ("row-changed", str(transfer.audit.public_id))
    assert document.document["is_whole"] is False
    assert run("verify_ledger", "--audit", str(transfer.audit.public_id)).exit_code == 1


def test_an_audit_that_is_not_there_is_said(transfer: Transfer) -> None:
    assert run("verify_ledger", "--audit", str(transfer.public_id)).exit_code == 2
