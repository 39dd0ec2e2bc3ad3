"""Receipts in the browser and over the API: to print, to keep, and to check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from audit.ledger import Ledger
from tests.integration.transfers.views.reading import text_of, words_of
from tests.ledgers import ask, send
from transfers.models import Transfer
from transfers.receipts import receipt_keys
from transfers.states import State

pytestmark = pytest.mark.django_db

CHECK = "/receipts/check/"
ANY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    """Finished and committed."""
    transfer = create()
    ledger = Ledger(transfer.audit)
    send(ledger, 3)
    ask(ledger, 3)
    ledger.close()
    Transfer.objects.filter(pk=transfer.pk).update(state=State.FINISHED, verdict=transfer.audit.verdict)
    transfer.refresh_from_db()
    return transfer


def address_of(transfer: Transfer, form: str = "/") -> str:
    return f"/transfers/{transfer.public_id}/receipt{form}"


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def checked(browser: Client, content: bytes, name: str = "receipt.json") -> Any:
    return browser.post(CHECK, {"receipt": SimpleUploadedFile(name, content)})


def test_the_page_of_a_transfer_leads_to_its_receipt(viewer: Client, transfer: Transfer) -> None:
    page = text_of(viewer.get(f"/transfers/{transfer.public_id}/"))

    for form in ("/", ".json", ".csv"):
        assert f'href="{address_of(transfer, form)}"' in page
    assert f'href="{CHECK}"' in page


def test_what_is_not_judged_has_no_receipt_yet(viewer: Client, create: Callable[..., Transfer]) -> None:
    transfer = create()

    assert "There is one once this is judged." in words_of(viewer.get(f"/transfers/{transfer.public_id}/"))
    for form in ("/", ".json", ".csv"):
        answer = viewer.get(address_of(transfer, form))
        assert answer.status_code == 409
        assert "there is a receipt once its audit is sealed" in words_of(answer)


def test_the_page_to_print_says_what_the_file_says(viewer: Client, transfer: Transfer) -> None:
    page = words_of(viewer.get(address_of(transfer)))
    statement = json.loads(content_of(viewer.get(address_of(transfer, ".json"))))["statement"]

    assert statement["reason"] in page
    assert statement["digests"]["manifest_sha256"] in page
    assert statement["digests"]["evidence_sha256"] in page
    assert statement["audits"][0]["head_sha256"] in page
    assert "2.25.1.3" in page
    fingerprint = receipt_keys().current().public.fingerprint
    assert " ".join(fingerprint[start : start + 8] for start in range(0, 64, 8)) in page


def test_of_a_large_study_the_page_lists_what_is_not_confirmed(
    viewer: Client, transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfers.views.receipt_context.ROWS_SHOWN", 2)
    assert transfer.audit.verdict == "unverifiable"  # the first was there before

    page = words_of(viewer.get(address_of(transfer)))

    assert "Every instance that is not confirmed" in page
    assert "The files list all 3." in page
    assert "2.25.1.1 " in page
    assert "2.25.1.2" not in page


@pytest.mark.parametrize(("form", "media_type"), [("json", "application/json"), ("csv", "text/csv; charset=utf-8")])
def test_the_files_are_downloads_that_can_be_checked(
    viewer: Client, transfer: Transfer, form: str, media_type: str
) -> None:
    answer = viewer.get(address_of(transfer, f".{form}"))

    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="receipt-{transfer.public_id}.{form}"'
    page = words_of(checked(viewer, content_of(answer), f"r.{form}"))
    assert "This receipt is valid Signed with the key of this installation, and unchanged since." in page
    assert "Verdict unverifiable" in page
    assert "Instances 3" in page


def test_a_receipt_that_was_changed_is_not_to_be_believed(viewer: Client, transfer: Transfer) -> None:
    content = content_of(viewer.get(address_of(transfer, ".json")))

    page = words_of(
        checked(viewer, content.replace(b'"unproven"', b'"confirmed"', 1).replace(b"unverifiable", b"committed"))
    )

    assert "This receipt is not to be believed" in page
    assert "Verdict committed" not in page


def test_a_receipt_of_elsewhere_is_shown_with_its_fingerprint(
    viewer: Client, transfer: Transfer, settings: Settings, tmp_path: Path
) -> None:
    content = content_of(viewer.get(address_of(transfer, ".json")))
    fingerprint = receipt_keys().current().public.fingerprint
    settings.DATA_DIR = tmp_path

    page = words_of(checked(viewer, content))

    assert "none of this installation's" in page
    assert fingerprint[:8] in page
    assert "There is none yet: it is made with the first receipt." in page


def test_what_is_no_receipt_is_said_to_be_none(viewer: Client) -> None:
    assert "This is not a receipt" in words_of(checked(viewer, b"<script>alert(1)</script>"))


def test_the_name_of_a_file_is_never_markup(viewer: Client) -> None:
    assert "<b>n" not in checked(viewer, b"x", "<b>n.json").content.decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Choose a file."),
        ({"receipt": "a text"}, "Choose a file."),
        ({"receipt": SimpleUploadedFile("r.json", b"")}, "This file is empty."),
    ],
)
def test_without_a_file_the_page_says_so(viewer: Client, fields: dict[str, Any], says: str) -> None:
    answer = viewer.post(CHECK, fields)

    assert answer.status_code == 422
    assert says in words_of(answer)


def test_a_file_that_is_too_large_is_left_to_the_command(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfers.views.receipts.MAXIMUM_BYTES", 10)

    answer = checked(viewer, b"x" * 11)

    assert answer.status_code == 422
    assert "check it with manage.py verify_receipt" in words_of(answer)


def test_nothing_of_what_is_brought_is_kept(viewer: Client, settings: Settings, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()

    checked(viewer, b"x" * 100)

    assert list((tmp_path / "temporary").iterdir()) == []


def test_an_earlier_key_is_listed_beside_the_one_in_use(viewer: Client) -> None:
    keys = receipt_keys()
    before = keys.rotate()

    page = words_of(viewer.get(CHECK))

    assert f"Public key {keys.current().public.raw.hex()}" in page
    assert f"Earlier key {before.fingerprint[:8]}" in page


@pytest.mark.parametrize("address", [CHECK, *[f"/transfers/{ANY}/receipt{form}" for form in ("/", ".json", ".csv")]])
def test_nobody_sees_anything_without_a_login(client: Client, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/login/")


def test_a_form_of_elsewhere_is_refused(viewer: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = viewer.cookies

    assert browser.post(CHECK, {"receipt": SimpleUploadedFile("r.json", b"x")}).status_code == 403


def test_there_is_no_receipt_of_what_is_not_there(viewer: Client) -> None:
    assert viewer.get(f"/transfers/{ANY}/receipt.json").status_code == 404


# The API


def test_the_api_gives_the_same_receipt(viewer: Client, transfer: Transfer) -> None:
    answer = viewer.get(f"/api/v1/transfers/{transfer.public_id}/receipt/")

    assert answer.headers["Content-Type"] == "application/json"
    content = content_of(answer)
    assert "This receipt is valid" in words_of(checked(viewer, content))
    assert json.loads(content)["statement"]["transfer"]["id"] == str(transfer.public_id)


def test_the_api_says_that_an_open_audit_has_none(viewer: Client, create: Callable[..., Transfer]) -> None:
    answer = viewer.get(f"/api/v1/transfers/{create().public_id}/receipt/")

    assert answer.status_code == 409
    assert answer.json()["code"] == "audit_is_open"
    assert "there is a receipt once its audit is sealed" in answer.json()["detail"]
