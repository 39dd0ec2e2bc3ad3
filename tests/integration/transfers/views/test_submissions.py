"""The page of a new transfer, without JavaScript: what is submitted becomes a batch that waits as a draft."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.integration.transfers.views.reading import text_of, words_of
from transfers import uploads
from transfers.models import Batch, Destination, Upload

pytestmark = pytest.mark.django_db

NEW = "/new/"
HTMX = {"hx-request": "true", "hx-target": "folders"}


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "import"
    (root / "study").mkdir(parents=True)
    settings.IMPORT_ROOTS = [str(root)]
    settings.UPLOAD_DIR = tmp_path / "uploads"
    settings.UPLOAD_DIR.mkdir()
    return root


def file(name: str = "one.dcm", content: bytes = b"bytes") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def uploaded(name: str = "operator", content: bytes = b"bytes") -> Upload:
    """Complete, and not submitted yet."""
    upload = uploads.begin(User.objects.get(username=name), "study.zip", len(content))
    uploads.append(upload, 0, [content])
    return upload


def test_without_a_destination_it_says_who_has_to_add_one(operator: Client) -> None:
    page = text_of(operator.get(NEW))

    assert "There is no destination yet" in page
    assert "An administrator has to say first" in page
    assert '<form class="stack"' not in page


def test_staff_is_led_to_where_a_destination_is_added(admin_client: Client) -> None:
    assert 'href="/admin/transfers/destination/add/"' in text_of(admin_client.get(NEW))


def test_each_destination_says_the_best_verdict_that_it_can_reach(operator: Client, destination: Destination) -> None:
    Destination.objects.create(
        name="trusted",
        host="127.0.0.1",
        port=105,
        called_ae_title="B",
        verify="none",
        acknowledgement_means_stored=True,
    )

    page = words_of(operator.get(NEW))

    assert "127.0.0.1:104 ARCHIVE Best verdict: committed by “present”." in page
    assert "127.0.0.1:105 B Best verdict: committed by “acknowledged”." in page


def test_the_only_destination_is_chosen_from_the_start(operator: Client, destination: Destination) -> None:
    assert 'value="archive" required checked' in text_of(operator.get(NEW))


def test_a_link_may_choose_a_destination(operator: Client, destination: Destination) -> None:
    Destination.objects.create(name="other", host="127.0.0.1", port=105, called_ae_title="B")

    assert "required checked" not in text_of(operator.get(NEW))
    assert 'value="other" required checked' in text_of(operator.get(f"{NEW}?destination=other"))


def test_who_may_only_look_may_not_send(viewer: Client, destination: Destination, root: Path) -> None:
    answers = [viewer.get(NEW), viewer.post(NEW, {"destination": "archive", "path": str(root)})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Batch.objects.exists()


def test_who_is_not_logged_in_is_asked_to(db: None, client: Client) -> None:
    assert client.get(NEW).headers["location"] == "/account/login/?next=/new/"


def test_a_path_becomes_a_batch_that_waits_as_a_draft(operator: Client, destination: Destination, root: Path) -> None:
    answer = operator.post(NEW, {"destination": "archive", "path": f" {root}/study "})

    batch = Batch.objects.get()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/batches/{batch.public_id}/")
    assert (batch.path, batch.starts, batch.method, batch.verify) == (f"{root}/study", False, "c-store", "presence")
    assert batch.created_by.username == "operator"


def test_a_name_may_end_with_a_space(operator: Client, destination: Destination, root: Path) -> None:
    (root / "study ").mkdir()

    operator.post(NEW, {"destination": "archive", "path": f"{root}/study "})

    assert Batch.objects.get().path == f"{root}/study "


def test_how_it_is_sent_can_be_said(operator: Client, destination: Destination, root: Path) -> None:
    how = {"method": "c-store", "c-store.associations": "7", "verify": "none", "send_what_can": "on"}

    operator.post(NEW, {"destination": "archive", "path": str(root), **how})

    batch = Batch.objects.get()
    assert (batch.options, batch.verify, batch.send_what_can) == ({"associations": 7}, "none", True)


def test_files_of_the_form_become_uploads_of_the_batch(operator: Client, destination: Destination, root: Path) -> None:
    answer = operator.post(NEW, {"destination": "archive", "files": [file("a.dcm", b"aa"), file("leer.dcm", b"")]})

    batch = Batch.objects.get()
    kept = list(batch.uploads.all())
    assert answer.status_code == 303
    assert [(upload.name, upload.size_bytes, upload.is_complete) for upload in kept] == [
        ("a.dcm", 2, True),
        ("leer.dcm", 0, True),
    ]
    assert uploads.path_of(kept[0]).read_bytes() == b"aa"


def test_what_was_uploaded_in_parts_is_submitted_by_its_id(
    operator: Client, destination: Destination, root: Path
) -> None:
    upload = uploaded()

    operator.post(NEW, {"destination": "archive", "uploads": [str(upload.public_id)]})

    assert list(Batch.objects.get().uploads.all()) == [upload]


def test_files_beyond_the_quota_are_refused_in_plain_words_and_none_is_kept(
    operator: Client, destination: Destination, root: Path, settings: Settings
) -> None:
    settings.UPLOAD_QUOTA_BYTES = 3

    answer = operator.post(NEW, {"destination": "archive", "files": [file("a", b"aa"), file("b", b"bb")]})

    assert answer.status_code == 422
    assert "There is no room left for this file" in text_of(answer)
    assert not Batch.objects.exists()
    assert not Upload.objects.filter(removed_at__isnull=True).exists()
    assert [each for each in settings.UPLOAD_DIR.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param({"destination": "archive"}, "Choose what to send", id="nothing"),
        pytest.param({"destination": "archive", "path": "/etc"}, "not in one of the import folders", id="elsewhere"),
        pytest.param({"path": "ROOT"}, "Choose where to send it", id="no destination"),
        pytest.param({"destination": "gone", "path": "ROOT"}, "not there any more", id="unknown destination"),
        pytest.param(
            {"destination": "archive", "path": "ROOT", "c-store.associations": "99"},
            "less than or equal to 32",
            id="option",
        ),
        pytest.param({"destination": "archive", "path": "ROOT", "method": "pigeon"}, "pigeon", id="method"),
        pytest.param({"destination": "archive", "uploads": ["x"]}, "Upload it again", id="no upload id"),
        pytest.param({"destination": "archive", "uploads": [str(uuid4())]}, "Upload it again", id="unknown upload"),
    ],
)
def test_what_cannot_be_submitted_is_said_where_it_was_said(
    operator: Client, destination: Destination, root: Path, said: dict[str, str], error: str
) -> None:
    answer = operator.post(NEW, {name: str(root) if value == "ROOT" else value for name, value in said.items()})

    assert answer.status_code == 422
    assert error in text_of(answer)
    assert not Batch.objects.exists()


def test_files_and_a_folder_at_once_are_too_much(operator: Client, destination: Destination, root: Path) -> None:
    answer = operator.post(NEW, {"destination": "archive", "path": str(root), "files": [file()]})

    assert "one of the two" in text_of(answer)
    assert not Upload.objects.exists()


def test_the_uploads_of_others_cannot_be_submitted(operator: Client, destination: Destination, root: Path) -> None:
    User.objects.create_user("other")
    upload = uploaded("other")

    answer = operator.post(NEW, {"destination": "archive", "uploads": [str(upload.public_id)]})

    assert answer.status_code == 422
    assert "study.zip" not in text_of(answer)


def test_what_was_uploaded_is_kept_where_something_else_was_wrong(
    operator: Client, destination: Destination, root: Path
) -> None:
    upload = uploaded()

    answer = operator.post(NEW, {"destination": "gone", "uploads": [str(upload.public_id)]})

    assert f'name="uploads" value="{upload.public_id}" checked' in text_of(answer)
    assert "study.zip" in text_of(answer)


def test_without_import_folders_no_folder_is_offered(
    operator: Client, destination: Destination, settings: Settings
) -> None:
    settings.IMPORT_ROOTS = []

    assert "folder on the server" not in text_of(operator.get(NEW))


def test_opening_a_folder_chooses_it_and_keeps_what_was_said(
    operator: Client, destination: Destination, root: Path
) -> None:
    (root / "study" / "inner").mkdir()
    upload = uploaded()
    said = {"destination": "archive", "verify": "none", "uploads": [str(upload.public_id)], "path": "/elsewhere"}

    page = text_of(operator.post(NEW, {**said, "open": f"{root}/study"}))

    assert f'name="path" value="{root}/study"' in page
    assert f'name="open" value="{root}/study/inner"' in page
    assert 'value="archive" required checked' in page
    assert 'name="verify" value="none" checked' in page
    assert str(upload.public_id) in page
    assert not Batch.objects.exists()


def test_htmx_gets_the_folders_alone(operator: Client, destination: Destination, root: Path) -> None:
    answer = operator.post(NEW, {"open": str(root)}, headers=HTMX)

    page = text_of(answer).strip()
    assert page.startswith("<div")
    assert f'value="{root}/study"' in page
    assert "HX-Request" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/etc", "/import/missing", "study"])
def test_a_folder_elsewhere_is_not_opened(operator: Client, destination: Destination, root: Path, path: str) -> None:
    page = text_of(operator.post(NEW, {"open": path}, headers=HTMX))

    assert "is not in one of the import folders" in page
    assert f'name="open" value="{root}"' in page


def test_a_folder_stands_in_no_address(operator: Client, destination: Destination, root: Path) -> None:
    page = text_of(operator.post(NEW, {"open": str(root)}))

    assert f"?{root}" not in page
    assert not [part for part in page.split() if part.startswith(("href=", "hx-get=")) and "study" in part]


def test_what_was_uploaded_and_never_sent_can_be_deleted(
    operator: Client, destination: Destination, root: Path
) -> None:
    upload = uploaded()
    assert "1 upload, 5 B" in words_of(operator.get(NEW)).replace("\u00a0", " ")

    answer = operator.post(f"{NEW}uploads/clear/")

    upload.refresh_from_db()
    assert (answer.status_code, answer.headers["location"]) == (303, NEW)
    assert upload.removed_at is not None
    assert "never sent" not in text_of(operator.get(NEW))


def test_deleting_leaves_what_was_submitted_and_what_is_of_others(
    operator: Client, destination: Destination, root: Path
) -> None:
    User.objects.create_user("other")
    submitted, of_another = uploaded(), uploaded("other")
    operator.post(NEW, {"destination": "archive", "uploads": [str(submitted.public_id)]})

    operator.post(f"{NEW}uploads/clear/")

    assert Upload.objects.filter(removed_at__isnull=True).count() == 2
    assert uploads.path_of(submitted).exists()
    assert uploads.path_of(of_another).exists()


def test_who_may_only_look_deletes_nothing(viewer: Client) -> None:
    assert viewer.post(f"{NEW}uploads/clear/").status_code == 403
    assert viewer.get(f"{NEW}uploads/clear/").status_code == 405


def test_an_upload_that_is_not_whole_is_not_submitted(operator: Client, destination: Destination, root: Path) -> None:
    now = timezone.now()
    upload = Upload.objects.create(
        created_by=User.objects.get(username="operator"), name="x", size_bytes=9, created_at=now, changed_at=now
    )

    answer = operator.post(NEW, {"destination": "archive", "uploads": [str(upload.public_id)]})

    assert "An upload is not complete" in text_of(answer)
    assert not Batch.objects.exists()


def asked(operator: Client, root: Path, **said: str) -> Batch:
    """What is made of the form with these besides a folder and the only destination."""
    answer = operator.post(NEW, {"destination": "archive", "path": str(root / "study")} | said)
    assert answer.status_code == 303, words_of(answer)
    return Batch.objects.get()


def test_a_sample_of_the_content_can_be_asked_for(operator: Client, destination: Destination, root: Path) -> None:
    batch = asked(operator, root, verify="content", sample_percent="15")

    assert batch.verify == "content:15%"


def test_commitment_can_be_asked_for_besides(operator: Client, destination: Destination, root: Path) -> None:
    assert asked(operator, root, asks_commitment="on").asks_commitment is True


def test_all_or_nothing_can_be_asked_for_where_it_can_be_promised(
    operator: Client, destination: Destination, root: Path
) -> None:
    destination.ask_at.add(Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:8042"))

    assert asked(operator, root, rolls_back="on").rolls_back is True


def test_all_or_nothing_is_refused_with_the_reason_where_it_cannot_be_promised(
    operator: Client, destination: Destination, root: Path
) -> None:
    answer = operator.post(NEW, {"destination": "archive", "path": str(root / "study"), "rolls_back": "on"})

    assert answer.status_code == 422
    assert "offers no way to remove instances" in words_of(answer)
    assert '<details class="disclosure" open>' in text_of(answer)


def test_a_study_can_be_only_asked_about(operator: Client, destination: Destination, root: Path) -> None:
    batch = asked(operator, root, is_inquiry="on", verify="content")

    assert (batch.is_inquiry, batch.starts, batch.method, batch.verify) == (True, True, "", "content")
    page = words_of(operator.get(f"/batches/{batch.public_id}/"))
    assert "To archive (only asked, nothing is sent)" in page


def test_what_was_asked_for_is_still_there_when_a_folder_is_opened(
    operator: Client, destination: Destination, root: Path
) -> None:
    said = {"open": str(root), "verify": "content", "sample_percent": "15", "asks_commitment": "on", "is_inquiry": "on"}

    page = text_of(operator.post(NEW, said))

    for kept in ('value="content" checked', 'value="15"', 'name="asks_commitment" value="on" checked'):
        assert kept in page
    assert 'name="is_inquiry" value="on" checked' in page
    assert 'name="rolls_back" value="on" checked' not in page
