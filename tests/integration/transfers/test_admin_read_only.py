"""Transfers, batches and audits in the admin site: looked at, and never touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from audit.models import Evidence
from tests.manifests import entry
from transfers import services
from transfers.models import Batch, CommitmentReport, CommitmentRequest, Transfer

pytestmark = pytest.mark.django_db

PAGES = (
    "audit/audit",
    "audit/instanceaudit",
    "transfers/transfer",
    "transfers/batch",
    "transfers/commitmentrequest",
    "transfers/commitmentreport",
)


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    """Cancelled before it was sent, so that there is evidence and a sealed audit."""
    transfer = create()
    Transfer.objects.update(state="queued", worker="", lease_until=None)
    transfer.refresh_from_db()
    services.cancel(transfer)
    return transfer


@pytest.fixture
def batch(transfer: Transfer, admin_user: User) -> Batch:
    batch = Batch.objects.create(
        created_by=admin_user,
        destination=transfer.destination,
        method="c-store",
        verify="presence",
        created_at=timezone.now(),
    )
    batch.skipped.create(path="letter.txt", kind="not-dicom", reason="not a DICOM file")
    return batch


def asked(transfer: Transfer) -> CommitmentRequest:
    now = timezone.now()
    return CommitmentRequest.objects.get_or_create(
        transfer=transfer,
        transaction_uid="2.25.77",
        defaults={
            "round": 1,
            "sop_instance_uids": [entry(1).sop_instance_uid],
            "called_ae_title": "ARCHIVE",
            "created_at": now,
            "due_at": now,
        },
    )[0]


def reported(request: CommitmentRequest | None, because: str = "") -> CommitmentReport:
    uid = request.transaction_uid if request else "2.25.78"
    return CommitmentReport.objects.get_or_create(
        transaction_uid=uid,
        request=request,
        orphaned_because=because,
        defaults={
            "event_type_id": 1,
            "calling_ae_title": "ARCHIVE" if request else "STRANGER",
            "committed": [["1.2.840.10008.5.1.4.1.1.4", entry(1).sop_instance_uid]],
            "failed": [],
            "received_at": timezone.now(),
        },
    )[0]


def row_of(page: str, transfer: Transfer, batch: Batch) -> int:
    rows = {
        "audit/audit": transfer.audit.pk,
        "audit/instanceaudit": transfer.audit.instances.get(sop_instance_uid=entry(1).sop_instance_uid).pk,
        "transfers/transfer": transfer.pk,
        "transfers/batch": batch.pk,
        "transfers/commitmentrequest": asked(transfer).pk,
        "transfers/commitmentreport": reported(asked(transfer)).pk,
    }
    return rows[page]


@pytest.mark.parametrize("page", PAGES)
def test_even_a_superuser_may_only_look(admin_client: Client, transfer: Transfer, batch: Batch, page: str) -> None:
    row = f"/admin/{page}/{row_of(page, transfer, batch)}"

    listed, shown = admin_client.get(f"/admin/{page}/"), admin_client.get(f"{row}/change/")

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert 'name="_save"' not in shown.content.decode()
    assert admin_client.get(f"/admin/{page}/add/").status_code == 403
    assert admin_client.post(f"{row}/change/", {"verdict": "committed"}).status_code == 403
    assert admin_client.post(f"{row}/delete/", {"post": "yes"}).status_code == 403


def test_an_audit_leads_to_its_instances_and_they_to_their_evidence(admin_client: Client, transfer: Transfer) -> None:
    audit = transfer.audit
    instance = audit.instances.order_by("position")[0]

    listed = admin_client.get(f"/admin/audit/instanceaudit/?audit__id__exact={audit.pk}").content.decode()
    shown = admin_client.get(f"/admin/audit/instanceaudit/{instance.pk}/change/").content.decode()

    assert listed.count('class="field-position"') == 3
    assert Evidence.objects.filter(instance=instance).get().kind in shown
    assert "Cancelled before it was sent" in shown


def test_a_transfer_shows_its_events(admin_client: Client, transfer: Transfer) -> None:
    shown = admin_client.get(f"/admin/transfers/transfer/{transfer.pk}/change/").content.decode()

    assert "cancel_requested" in shown
    assert f"/admin/audit/audit/{transfer.audit_id}/change/" in shown


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_the_permission_sees_nothing(client: Client, page: str) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))

    assert client.get(f"/admin/{page}/").status_code == 403


@pytest.mark.parametrize(
    ("chosen", "is_shown", "is_orphan_shown"),
    [("", True, True), ("no", True, False), ("yes", False, True), ("unknown_transaction", False, True),
     ("repeated", False, False)],
)  # fmt: skip
def test_reports_that_answer_nothing_are_found(
    admin_client: Client, transfer: Transfer, chosen: str, is_shown: bool, is_orphan_shown: bool
) -> None:
    reported(asked(transfer))
    reported(None, "unknown_transaction")

    address = f"/admin/transfers/commitmentreport/{f'?orphaned={chosen}' if chosen else ''}"
    page = admin_client.get(address).content.decode()

    assert ("2.25.77" in page, "STRANGER" in page) == (is_shown, is_orphan_shown)
