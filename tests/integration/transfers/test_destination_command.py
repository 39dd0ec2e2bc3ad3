"""`manage.py destination` for every kind, and a study that is sent to what it added, with every option."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.commands import destination_for, run
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers.models import Destination, Transfer
from transfers.passwords import decrypt_password

pytestmark = pytest.mark.django_db(transaction=True)

DICOM = ["--kind", "dicom", "--host", "127.0.0.1", "--port", "104", "--ae-title", "PACS"]
REST = ["--kind", "orthanc", "--url", "http://127.0.0.1:8042/orthanc/"]


def test_a_dicom_archive_is_added_with_everything_that_can_be_said(db: None) -> None:
    run("destination", "add", "rest", *REST)
    run("destination", "add", "web", "--kind", "dicomweb", "--url", "http://127.0.0.1:8042/dicom-web")
    added = run(
        "destination", "add", "pacs", *DICOM,
        "--calling-ae-title", "US", "--associations", "2", "--verify", "content:15%",
        "--commitment", "--commitment-timeout-seconds", "60", "--commitment-batch-size", "500",
        "--reverify-after-days", "30, 1,7", "--ask-at", "rest", "web",
        "--acknowledgement-means-stored", "--same-uid-means-same-content",
    )  # fmt: skip

    assert added.exit_code == 0, added.output
    destination = Destination.objects.get(name="pacs")
    assert (destination.verify, destination.offers_commitment) == ("content:15%", True)
    assert (destination.commitment_timeout_seconds, destination.commitment_batch_size) == (60, 500)
    assert destination.days_until_reverification == (1, 7, 30)
    assert [side.name for side in destination.ask_at.order_by("name")] == ["rest", "web"]
    assert destination.default_method == "c-store-commitment"


def test_names_of_other_sides_may_be_given_one_by_one(db: None) -> None:
    run("destination", "add", "rest", *REST)
    run("destination", "add", "web", "--kind", "dicomweb", "--url", "http://127.0.0.1:8042/dicom-web")

    run("destination", "add", "pacs", *DICOM, "--ask-at", "rest", "--ask-at", "web")

    assert Destination.objects.get(name="pacs").ask_at.count() == 2


def test_a_password_is_read_from_the_environment_and_not_shown(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setenv("SECRET_OF_PACS", "hunter2")

    added = run("destination", "add", "rest", *REST, "--username", "tally", "--password-env", "SECRET_OF_PACS")
    shown, listed = run("destination", "show", "rest"), run("destination", "list")

    destination = Destination.objects.get()
    assert decrypt_password(destination.password_encrypted) == "hunter2"
    assert destination.address == "http://127.0.0.1:8042/orthanc"
    assert "username: tally" in shown.output
    assert "password: (set)" in shown.output
    assert "hunter2" not in added.output + shown.output + listed.output
    assert destination.password_encrypted not in shown.output


def test_they_are_listed_and_shown_with_the_sides_that_they_have(db: None) -> None:
    run("destination", "add", "rest", *REST)
    run("destination", "add", "pacs", *DICOM, "--ask-at", "rest", "--reverify-after-days", "7")

    listed = run("destination", "list").output.splitlines()
    shown = run("destination", "show", "pacs").output

    assert listed == [
        "pacs  dicom  PACS@127.0.0.1:104  verify=presence  ask-at=rest",
        "rest  orthanc  http://127.0.0.1:8042/orthanc/  verify=presence",
    ]
    for line in ("ask_at: rest", "reverify_after_days: 7", "offers_commitment: False", "password: \n"):
        assert line in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "orthanc"], "needs a URL"),
        (["--kind", "dicomweb", "--url", "ftp://127.0.0.1"], "url"),
        (["--kind", "dicomweb", "--url", "http://me:secret@127.0.0.1"], "in their own fields"),
        ([*REST, "--commitment"], "of DICOM destinations only"),
        ([*REST, "--password-env", "NOT_THERE"], "no environment variable NOT_THERE"),
        ([*REST, "--verify", "content:0%"], "is no way to verify"),
        ([*REST, "--reverify-after-days", "soon"], "whole numbers"),
        ([*REST, "--ask-at", "rest"], "There is no destination “rest”"),
        ([*DICOM, "--username", "tally"], "spoken to over HTTP"),
        ([*DICOM, "--commitment-batch-size", "0"], "commitment batch size"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_what_cannot_be_is_refused_in_words(db: None, arguments: list[str], message: str) -> None:
    refused = run("destination", "add", "rest", *arguments)

    assert message in refused.output
    assert refused.exit_code != 0
    assert not Destination.objects.exists()


def test_a_password_needs_a_user_name(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setenv("SECRET_OF_PACS", "hunter2")

    refused = run("destination", "add", "rest", *REST, "--password-env", "SECRET_OF_PACS")

    assert refused.exit_code == 2
    assert "A password needs a user name" in refused.output
    assert "hunter2" not in refused.output


def test_a_side_of_another_destination_is_not_removed_before_that(db: None) -> None:
    run("destination", "add", "rest", *REST)
    run("destination", "add", "pacs", *DICOM, "--ask-at", "rest")

    refused = run("destination", "remove", "rest")
    assert (refused.exit_code, "pacs is asked at rest" in refused.output) == (2, True)
    for name in ("pacs", "rest"):
        assert run("destination", "remove", name).exit_code == 0


def test_a_check_asks_every_side_and_exits_by_all_of_them(archive: MakeArchive, web_orthanc: Orthanc) -> None:
    destination = destination_for(archive())
    destination.ask_at.add(Destination.objects.create(name="rest", kind="orthanc", url=web_orthanc.url))
    whole = run("destination", "check", destination.name)
    destination.ask_at.add(
        Destination.objects.create(name="gone", kind="dicomweb", url=f"http://127.0.0.1:{free_port()}")
    )

    broken = run("destination", "check", destination.name)

    assert (whole.exit_code, broken.exit_code) == (0, 1)
    assert "rest: It calls itself Orthanc 1." in whole.output
    assert "gone: " in broken.output


def test_a_study_is_sent_verified_and_asked_about_elsewhere_with_every_option(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, settings: Settings
) -> None:
    settings.DICOM_PORT, settings.LISTENER_HOST = free_port(), "127.0.0.1"
    write_study(folder, 4)
    us = {"us": ("TALLYMAN", "127.0.0.1", int(settings.DICOM_PORT))}
    storage = tmp_path_factory.mktemp("whole")
    with Orthanc(storage, ae_title="WHOLE", dicom_web=True, modalities=us) as peer:
        run("destination", "add", "rest", "--kind", "orthanc", "--url", peer.url)
        run("destination", "add", "web", "--kind", "dicomweb", "--url", peer.dicom_web_url)
        run(
            "destination", "add", "pacs", "--kind", "dicom", "--host", peer.host, "--port", str(peer.port),
            "--ae-title", peer.ae_title, "--ask-at", "rest", "--presence-settle-seconds", "1",
            "--reverify-after-days", "7",
        )  # fmt: skip

        sent = run(
            "send", folder, "--to", "pacs", "--method", "c-store", "--option", "associations=1",
            "--verify", "content:50%", "--commitment", "--rollback", "--send-what-can", "--json",
        )  # fmt: skip
        again = run("verify", sent.transfer["id"], "--verify", "content", "--commitment", "--json")
        elsewhere = run("verify", sent.transfer["id"], "--to", "web", "--verify", "content:25%", "--json")

    assert (sent.exit_code, sent.transfer["verdict"]) == (0, "committed")
    transfer = Transfer.objects.get(public_id=sent.transfer["id"])
    assert (transfer.rolls_back, transfer.commitment_requests.count()) == (True, 2)
    assert transfer.reverify_at is not None
    assert counted(sent.transfer) == {"acknowledged": 4, "committed": 4, "present": 4, "same content": 2}
    assert (again.exit_code, again.transfer["proof"]) == (0, "identical")
    assert counted(again.transfer)["same content"] == 4
    assert (elsewhere.exit_code, elsewhere.transfer["method"]) == (0, None)
    assert elsewhere.transfer["destination"] == "web"
    assert counted(elsewhere.transfer) == {"present": 4, "same content": 1}


def counted(transfer: dict[str, object]) -> dict[str, int]:
    """Instances by the kinds of evidence that matter here."""
    names = {"identical": "same content", "equivalent": "same content"}
    counts: dict[str, int] = {}
    instances = transfer["instances"]
    assert isinstance(instances, list)
    for instance in instances:
        kinds = {names.get(each["kind"], each["kind"]) for each in instance["evidence"]}
        for kind in kinds & {"acknowledged", "committed", "present", "same content"}:
            counts[kind] = counts.get(kind, 0) + 1
    return counts
