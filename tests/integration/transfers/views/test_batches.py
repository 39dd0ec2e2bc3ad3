"""The page of a batch: how far it is, what was found before sending, what was left out, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.integration.transfers.views.reading import text_of, transfers_in, words_of
from tests.manifests import study
from transfers import services
from transfers.models import Batch, Destination, SkippedFile, Transfer, Upload
from transfers.states import BatchState, State

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true", "hx-target": "batch"}
CLEAR = {"present": 0, "unknown": 0, "unsendable": [], "conflicts": 0, "error": None, "sendable": 3, "size_bytes": 3072}
NO_CONTEXT = {"reason": "MR is not accepted.", "code": "no_presentation_context", "instances": 1, "sop_class_uids": []}
INCOMPLETE = CLEAR | {"unsendable": [NO_CONTEXT], "sendable": 2, "size_bytes": 2048}
UNREACHABLE = CLEAR | {
    "error": {"code": "connection_failed", "reason": "No connection could be made."},
    "sendable": 0,
    "size_bytes": 0,
    "unknown": 3,
}

MakeBatch = Callable[..., Batch]


@pytest.fixture
def make(destination: Destination, db: None) -> MakeBatch:
    """Of an import folder, in a state, with a study for each of the findings."""

    def make(state: BatchState, *findings: dict[str, Any], studies: State = State.DRAFT, **fields: Any) -> Batch:
        batch = Batch.objects.create(
            **(
                {
                    "created_by": User.objects.get_or_create(username="submitter")[0],
                    "destination": destination,
                    "method": "c-store",
                    "verify": "presence",
                    "starts": False,
                    "path": "/import/study",
                    "state": state,
                    "created_at": timezone.now(),
                }
                | fields
            )
        )
        for number, found in enumerate(findings):
            transfer = services.create_transfer(
                study(uid=f"2.25.{number + 1}"),
                destination=destination,
                method="c-store",
                verify=batch.verify,
                batch=batch,
            )
            Transfer.objects.filter(pk=transfer.pk).update(
                state=studies, findings=found, size_bytes=3072, study_description=f"Study {number + 1}"
            )
        return batch

    return make


def url(batch: Batch, action: str = "") -> str:
    return f"/batches/{batch.public_id}/{action}"


def page(browser: Client, batch: Batch, query: str = "") -> str:
    return words_of(browser.get(f"{url(batch)}{query}")).replace("\u00a0", " ")


def left_out(batch: Batch, kind: str, *paths: str) -> None:
    for path in paths:
        SkippedFile.objects.create(batch=batch, path=path, kind=kind, reason=f"because it is {kind}")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(BatchState.QUEUED, "Waiting for a worker to read it", id="queued"),
        pytest.param(BatchState.READING, "1,234 files so far", id="reading"),
        pytest.param(BatchState.ASKING, "1 of 2 studies", id="asking"),
    ],
)
def test_while_it_is_under_way_the_page_says_how_far_it_is_and_looks_again(
    operator: Client, make: MakeBatch, state: BatchState, said: str
) -> None:
    batch = make(state, CLEAR, CLEAR, files_read=1234)
    Transfer.objects.filter(study_instance_uid="2.25.2").update(state=State.PREFLIGHT)

    answer = operator.get(url(batch))

    assert said in words_of(answer)
    assert 'hx-trigger="every 1s"' in text_of(answer)
    assert '<noscript><meta http-equiv="refresh"' in text_of(answer)


@pytest.mark.parametrize("state", [BatchState.DRAFT, BatchState.STARTED, BatchState.FAILED, BatchState.DISCARDED])
def test_once_it_is_not_under_way_the_page_stands_still(operator: Client, make: MakeBatch, state: BatchState) -> None:
    batch = make(state, CLEAR, studies=State.FINISHED)

    answer = text_of(operator.get(url(batch)))

    assert "hx-trigger" not in answer
    assert "<noscript>" not in answer


def test_htmx_gets_what_changes_alone(operator: Client, make: MakeBatch) -> None:
    answer = operator.get(url(make(BatchState.READING)), headers=HTMX)

    assert text_of(answer).strip().startswith('<div class="stack" id="batch"')
    assert "HX-Request" in answer.headers["vary"]


def test_it_says_what_was_submitted_where_to_and_by_whom(operator: Client, make: MakeBatch) -> None:
    said = page(operator, make(BatchState.DRAFT, CLEAR))

    assert "To archive by C-STORE · /import/study · submitted by submitter" in said


@pytest.mark.parametrize(
    ("names", "said"),
    [(["study.zip"], "study.zip"), (["a", "b", "c"], "3 uploaded files")],
    ids=["one", "several"],
)
def test_uploads_are_called_as_who_sent_them_called_them(
    operator: Client, make: MakeBatch, names: list[str], said: str
) -> None:
    batch, now = make(BatchState.READING, path=""), timezone.now()
    for name in names:
        Upload.objects.create(
            created_by=batch.created_by, batch=batch, name=name, size_bytes=1, created_at=now, changed_at=now
        )

    assert f"· {said} ·" in page(operator, batch)


def test_a_draft_says_of_each_study_what_was_found_and_the_best_verdict(operator: Client, make: MakeBatch) -> None:
    said = page(operator, make(BatchState.DRAFT, CLEAR, CLEAR | {"present": 2}))

    assert "3 of 3 Committed by “present” The destination is asked afterwards" in said
    assert "All of it is taken. Nothing of it is listed there." in said
    assert "Committed by “present”, or unverifiable" in said
    assert "2 instances are listed there already" in said
    assert "Send 6 instances (6.1 KB)" in said


def test_studies_with_something_in_the_way_come_first(operator: Client, make: MakeBatch) -> None:
    said = page(operator, make(BatchState.DRAFT, CLEAR, CLEAR | {"present": 1}, INCOMPLETE))

    assert said.index("Study 3") < said.index("Study 2") < said.index("Study 1")


def test_of_an_incomplete_study_nothing_is_sent_unless_it_is_chosen(operator: Client, make: MakeBatch) -> None:
    said = page(operator, make(BatchState.DRAFT, CLEAR, INCOMPLETE))

    assert "1 instance cannot be sent. MR is not accepted." in said
    assert "Send 3 instances (3.1 KB)" in said
    assert "Send 5 instances (5.1 KB), incomplete studies too" in said


def test_where_that_was_chosen_before_there_is_one_way_to_send(operator: Client, make: MakeBatch) -> None:
    answer = operator.get(url(make(BatchState.DRAFT, CLEAR, INCOMPLETE, send_what_can=True)))

    assert "Send 5 instances" in words_of(answer).replace("\u00a0", " ")
    assert text_of(answer).count('name="send_what_can" value="on"') == 1


def test_a_destination_that_could_not_be_asked_is_asked_again_before_sending(operator: Client, make: MakeBatch) -> None:
    said = page(operator, make(BatchState.DRAFT, UNREACHABLE))

    assert "The destination could not be asked No connection could be made." in said
    assert "Ask again and send 3 instances" in said


def test_where_nothing_can_be_sent_nothing_is_offered_but_discarding(operator: Client, make: MakeBatch) -> None:
    refused = CLEAR | {"unsendable": [NO_CONTEXT | {"instances": 3}], "sendable": 0, "size_bytes": 0}

    answer = operator.get(url(make(BatchState.DRAFT, refused)))

    assert ">Send" not in text_of(answer)
    assert 'data-opens="discard"' in text_of(answer)


def test_many_studies_come_in_pages(operator: Client, make: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfers.views.batch_context.STUDIES_A_PAGE", 2)
    batch = make(BatchState.DRAFT, CLEAR, CLEAR, CLEAR)

    first, second = page(operator, batch), page(operator, batch, "?page=2")

    assert "1–2 of 3" in first
    assert "Study 3" not in first
    assert "3–3 of 3" in second
    assert "Study 3" in second
    assert "Send 9 instances" in first


@pytest.mark.parametrize("number", ["0", "-1", "x", "9999999999999999999999", "9" * 5000, "02", "77"])
def test_a_page_that_is_not_there_is_one_that_is(operator: Client, make: MakeBatch, number: str) -> None:
    assert "Study 1" in page(operator, make(BatchState.DRAFT, CLEAR), f"?page={number}")


def test_starting_sends_the_drafts(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.DRAFT, CLEAR, INCOMPLETE)

    answer = operator.post(url(batch, "start/"))

    batch.refresh_from_db()
    assert (answer.status_code, answer.headers["location"]) == (303, url(batch))
    assert (batch.state, batch.send_what_can) == (BatchState.STARTED, False)
    assert {transfer.state for transfer in batch.transfers.all()} == {State.QUEUED}


def test_incomplete_studies_can_be_started_too(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.DRAFT, INCOMPLETE)

    operator.post(url(batch, "start/"), {"send_what_can": "on"})

    assert batch.transfers.get().send_what_can


def test_discarding_sends_nothing(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.DRAFT, CLEAR)

    answer = operator.post(url(batch, "discard/"), follow=True)

    assert batch.transfers.get().state == State.CANCELLED
    assert "Nothing of it was sent" in words_of(answer)


@pytest.mark.parametrize("action", ["start/", "discard/"])
def test_at_the_wrong_moment_the_reason_is_said(operator: Client, make: MakeBatch, action: str) -> None:
    batch = make(BatchState.STARTED, CLEAR, studies=State.FINISHED)

    answer = operator.post(url(batch, action), follow=True)

    assert "This batch is not in the state that this needs" in words_of(answer)


@pytest.mark.parametrize("action", ["start/", "discard/"])
def test_who_may_only_look_changes_nothing_and_sees_no_button(viewer: Client, make: MakeBatch, action: str) -> None:
    batch = make(BatchState.DRAFT, CLEAR)

    assert viewer.post(url(batch, action)).status_code == 403
    assert viewer.get(url(batch, action)).status_code == 405
    assert url(batch, action) not in text_of(viewer.get(url(batch)))


def test_what_was_left_out_is_grouped_with_what_is_missing_first(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.DRAFT, CLEAR)
    left_out(batch, "not-dicom", "notes.txt", "readme.md")
    left_out(batch, "broken", "half.dcm")

    said = page(operator, batch)

    assert "Could not be read: 1 file, missing from what is sent" in said
    assert "half.dcm because it is broken" in said
    assert "Not DICOM: 2 files, nothing is lost" in said
    assert said.index("half.dcm") < said.index("notes.txt")


def test_of_very_many_left_out_some_are_shown(
    operator: Client, make: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfers.views.batch_context.SKIPPED_SHOWN", 1)
    batch = make(BatchState.DRAFT, CLEAR)
    left_out(batch, "broken", "one", "two", "three")

    assert "Could not be read: 3 files" in page(operator, batch)
    assert "and 2 more, which the API lists" in page(operator, batch)


def test_a_failed_one_says_why_and_what_was_left_out(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.FAILED, error_code="no_instances", error="It holds no readable DICOM instance.")
    left_out(batch, "not-dicom", "notes.txt")

    said = page(operator, batch)

    assert "It holds no readable DICOM instance." in said
    assert "notes.txt" in said


def test_once_started_it_lists_its_transfers_with_their_verdicts(operator: Client, make: MakeBatch) -> None:
    batch = make(BatchState.STARTED, CLEAR, CLEAR, studies=State.FINISHED)
    batch.transfers.update(verdict="partial")

    answer = operator.get(url(batch))

    assert transfers_in(answer) == [str(each.public_id) for each in batch.transfers.order_by("pk")]
    assert words_of(answer).count("Partial") == 2
    assert "data-live-socket" not in text_of(answer)


def test_while_its_transfers_run_the_page_is_live(operator: Client, make: MakeBatch) -> None:
    answer = text_of(operator.get(url(make(BatchState.STARTED, CLEAR, studies=State.SENDING))))

    assert 'data-live-socket="/ws/transfers/"' in answer
    assert "live:list from:body" in answer


def test_a_batch_that_is_not_there_is_not_found(operator: Client, make: MakeBatch) -> None:
    assert operator.get("/batches/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_the_page_asks_the_database_no_more_for_more_studies(
    operator: Client, make: MakeBatch, django_assert_max_num_queries: Any
) -> None:
    batch = make(BatchState.DRAFT, *[CLEAR] * 12)

    with django_assert_max_num_queries(14):
        operator.get(url(batch))
