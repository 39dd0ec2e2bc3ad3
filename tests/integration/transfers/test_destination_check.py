"""The connection test of destinations of every kind, with the other sides of the same archive."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands import destination_for
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.script import Script
from tests.fakes.web import Asked
from tests.fakes.web_archives import element, qido
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers.destination_check import check_destination
from transfers.models import Destination
from transfers.passwords import encrypt_password

pytestmark = pytest.mark.django_db

COMMITMENT = "1.2.840.10008.1.20.1"
C_GET = "1.2.840.10008.5.1.4.1.2.2.3"
TAKES_REQUESTS = (
    "It takes requests for Storage Commitment; whether its reports reach our listener shows with the first."
)
TAKES_NONE = "It takes no requests for Storage Commitment, though its settings say that it does."
READ_BACK = "It offers Study Root C-GET: what arrived can be read back and compared."
NOT_READ_BACK = "It does not offer Study Root C-GET: what arrived cannot be read back from here and compared."


def service(kind: str, url: str, **more: Any) -> Destination:
    return Destination.objects.create(name=kind, kind=kind, url=url, connect_timeout_seconds=2, **more)


def test_every_side_of_a_real_orthanc_is_asked(web_orthanc: Orthanc) -> None:
    destination = destination_for(web_orthanc, offers_commitment=True, verify="content")
    destination.ask_at.add(service("orthanc", web_orthanc.url), service("dicomweb", web_orthanc.dicom_web_url))

    check = check_destination(destination)

    lines = list(check.describe())
    assert (check.is_ok, check.can_be_listed) == (True, True)
    assert lines[0].startswith("C-ECHO answered with success")
    assert TAKES_REQUESTS in lines
    assert READ_BACK in lines
    assert "dicomweb: It can be asked what it holds: what arrived can be verified by presence." in lines
    assert any(line.startswith("orthanc: It calls itself Orthanc 1.") for line in lines)


@pytest.mark.parametrize(
    ("settings", "said", "unsaid"),
    [
        ({"offers_commitment": True, "verify": "content:5%"}, [TAKES_NONE, NOT_READ_BACK], []),
        ({}, [], [TAKES_NONE, NOT_READ_BACK]),
    ],
    ids=["expected", "not expected"],
)
def test_what_an_archive_does_not_offer_is_said_where_it_is_counted_on(
    archive: MakeArchive, settings: dict[str, Any], said: list[str], unsaid: list[str]
) -> None:
    peer = archive(Script(without_sop_classes=[COMMITMENT, C_GET]))

    check = check_destination(destination_for(peer, **settings))

    lines = list(check.describe())
    assert check.is_ok
    assert check.own.breaks_its_word == bool(settings)
    assert [line in lines for line in said] == [True] * len(said)
    assert not set(unsaid) & set(lines)


def test_a_side_that_is_gone_fails_the_check(archive: MakeArchive) -> None:
    destination = destination_for(archive())
    destination.ask_at.add(service("dicomweb", f"http://127.0.0.1:{free_port()}"))

    check = check_destination(destination)

    assert (check.own.report.is_ok, check.is_ok) == (True, False)


def test_the_password_is_sent_and_said_to_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Orthanc(tmp_path_factory.mktemp("locked"), ae_title="LOCKED", users={"tally": "hunter2"}) as peer:
        right = check_destination(
            service("orthanc", peer.url, username="tally", password_encrypted=encrypt_password("hunter2"))
        )
        Destination.objects.all().delete()
        wrong = check_destination(
            service("orthanc", peer.url, username="tally", password_encrypted=encrypt_password("swordfish"))
        )

    assert right.is_ok
    assert (wrong.is_ok, wrong.own.report.error_code) == (False, "credentials_refused")
    assert "hunter2" not in f"{right!r} {list(right.describe())}"
    assert "swordfish" not in f"{wrong!r} {list(wrong.describe())}"


def test_a_password_of_another_secret_key_is_said_to_be_unreadable(db: None) -> None:
    destination = service("orthanc", "http://127.0.0.1:1", password_encrypted="of another key")

    check = check_destination(destination)

    assert (check.is_ok, check.own.report.error_code) == (False, "password_unreadable")
    assert "Set the password of this destination again" in " ".join(check.describe())


def test_a_service_that_says_yes_to_anything_cannot_be_listed(web: MakeWeb) -> None:
    def yes(asked: Asked, rows: list[object]) -> list[object]:
        return [{"0020000D": element(asked.query["StudyInstanceUID"])}]

    check = check_destination(service("dicomweb", web(qido([], quirk=yes)).url))

    assert (check.is_ok, check.can_be_listed) == (True, False)
