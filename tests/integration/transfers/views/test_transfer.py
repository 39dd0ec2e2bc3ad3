"""The page of one transfer: what it says, by what really happened at a scripted archive."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.bench.rows import create_destination, create_large_studies
from tests.commands import run, sent
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.views.reading import instances_in, link_called, page_of, text_of, words_of
from transfers import services
from transfers.models import Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db

FRAGMENTS = (
    "heading",
    "summary",
    "commitment",
    "jobs",
    "grid",
    "failures",
    "attempts",
    "again",
    "verdicts",
    "receipt",
    "timeline",
)
Create = Callable[..., Transfer]


def test_a_committed_study_is_shown_with_its_proof(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 5, series=2)
    transfer = sent(archive(), folder)

    words = words_of(operator.get(page_of(transfer)))

    assert "Committed present" in words
    assert transfer.audit.reason in words
    assert "2 series" in words
    assert "5 instances" in words
    assert "Expected 5 Sent 5 Acknowledged 5 Present 5" in words
    assert "What went wrong" not in words
    assert transfer.study_instance_uid in words


def test_what_was_refused_is_shown_as_one_group_with_what_to_do(
    operator: Client, archive: MakeArchive, folder: Path
) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 6)]
    transfer = sent(archive(Script(on_store=dict.fromkeys(uids[3:5], Answer(0xA700)))), folder)

    page = operator.get(page_of(transfer))

    assert "Partial 4 of 6" in words_of(page)
    assert "Refused: 0xA700" in words_of(page)
    assert "Make room there, then resend" in words_of(page)
    assert instances_in(operator.get(link_called(page, "show 2"))) == [4, 5]
    assert "By position: 4–5 refuted." in words_of(page)


def test_a_step_of_the_funnel_that_loses_instances_leads_to_them(
    operator: Client, archive: MakeArchive, folder: Path
) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 5)]
    script = Script(on_store={uids[1]: Answer(0xC000)}, hides=uids[3:4])
    transfer = sent(archive(script), folder)

    page = operator.get(page_of(transfer))

    assert instances_in(operator.get(link_called(page, "−1 not acknowledged"))) == [2]
    assert instances_in(operator.get(link_called(page, "−2 not found"))) == [2, 4]


def test_what_was_listed_once_and_is_no_more_is_among_the_missing(
    operator: Client, archive: MakeArchive, folder: Path
) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 3)]
    script = Script()
    transfer = sent(archive(script), folder)
    script.hides = uids[1:2]
    run("verify", str(transfer.public_id))

    page = operator.get(page_of(transfer))

    assert instances_in(operator.get(link_called(page, "−1 not found"))) == [2]


def test_an_instance_shows_all_its_evidence_in_plain_words(
    operator: Client, archive: MakeArchive, folder: Path
) -> None:
    write_study(folder, 1)
    transfer = sent(archive(Script(on_store=Answer(0xA700, error_comment="disk full"))), folder)

    words = words_of(operator.get(page_of(transfer)))

    assert "Refused by the destination" in words
    assert "0xA700" in words
    assert "“disk full”" in words
    assert "Not listed by the destination" in words
    assert "CT Image Storage" in words


def test_the_timeline_and_the_lanes_tell_what_happened(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 3)
    transfer = sent(archive(), folder)

    words = words_of(operator.get(page_of(transfer)))

    for sentence in ("Submitted", "Sending began", "Association opened", "Listed 1 series", "Judged, and sealed"):
        assert sentence in words
    assert re.search(r"asked before sending .* · sent 3 in .* · asked what arrived", words)


def test_the_settings_are_those_that_were_used(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 1)
    transfer = sent(archive(), folder, "--option", "associations=1")

    words = words_of(operator.get(page_of(transfer)))

    assert transfer.audit.destination_address in words
    assert "Option associations 1" in words
    assert transfer.manifest_sha256 in words
    assert "the command line" in words


def test_files_left_out_of_the_input_are_told_on_top(operator: Client, create: Create) -> None:
    assert "2 files left out" in words_of(operator.get(page_of(create(files_left_out=2))))


def test_proofs_that_contradict_each_other_are_told_on_top(operator: Client, create: Create) -> None:
    transfer = create(instances=1)
    ledger = Ledger(transfer.audit)
    for kind in (EvidenceKind.COMMITTED, EvidenceKind.ABSENT):
        ledger.begin_round()
        ledger.record(Observation("2.25.1.1", kind, timezone.now()))
    ledger.close()

    page = words_of(operator.get(page_of(transfer)))

    assert "Proofs contradict each other for 1 instance" in page


def test_a_running_transfer_can_be_cancelled_and_nothing_else(operator: Client, create: Create) -> None:
    transfer = create()

    page = text_of(operator.get(page_of(transfer)))

    assert f'action="{page_of(transfer)}cancel/"' in page
    assert f'action="{page_of(transfer)}retry/"' not in page
    assert f'action="{page_of(transfer)}verify/"' not in page


def test_cancel_of_a_running_transfer_is_asked_for_once(operator: Client, create: Create) -> None:
    transfer = create()

    answer = operator.post(f"{page_of(transfer)}cancel/", follow=True)

    transfer.refresh_from_db()
    assert transfer.cancel_requested_at is not None
    assert "Cancel was asked for" in words_of(answer)
    assert f'action="{page_of(transfer)}cancel/"' not in text_of(answer)


def test_who_cancelled_is_told_in_the_timeline(operator: Client, create: Create) -> None:
    transfer = create()

    page = words_of(operator.post(f"{page_of(transfer)}cancel/", follow=True))

    assert "Cancel was asked for operator" in page


def test_a_waiting_transfer_is_cancelled_at_once(operator: Client, create: Create) -> None:
    transfer = create(worker="")

    page = words_of(operator.post(f"{page_of(transfer)}cancel/", follow=True))

    transfer.refresh_from_db()
    assert transfer.state == State.CANCELLED
    assert "Nothing stored cancelled" in page


def test_a_retry_says_what_it_would_send_and_queues_it(operator: Client, archive: MakeArchive, folder: Path) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 5)]
    transfer = sent(archive(Script(on_store=dict.fromkeys(uids[:2], Answer(0xA700)))), folder)
    offered = operator.get(page_of(transfer))

    answer = operator.post(f"{page_of(transfer)}retry/")

    transfer.refresh_from_db()
    size = sum(transfer.audit.instances.filter(sop_instance_uid__in=uids[:2]).values_list("data_set_size", flat=True))
    assert f"Resend the 2 missing ({size / 1000:.1f} KB)" in words_of(offered)
    assert answer.status_code == 302
    assert (transfer.state, transfer.is_in_background) == (State.QUEUED, True)


def test_verify_again_sends_nothing(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 1)
    transfer = sent(archive(), folder)

    page = words_of(operator.post(f"{page_of(transfer)}verify/", follow=True))

    transfer.refresh_from_db()
    assert (transfer.state, transfer.sends) == (State.QUEUED, False)
    assert "nothing is sent" in page


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_what_is_too_late_is_refused_with_the_reason(
    operator: Client, archive: MakeArchive, folder: Path, action: str
) -> None:
    write_study(folder, 1)
    transfer = sent(archive(), folder)

    page = words_of(operator.post(f"{page_of(transfer)}{action}/", follow=True))

    expected = {"cancel": "nothing to cancel", "retry": "nothing to send again"}
    assert expected[action] in page
    assert Transfer.objects.get().state == State.FINISHED


@pytest.mark.parametrize("worker", [None, ""], ids=["held", "waiting"])
@pytest.mark.parametrize("action", ["retry", "verify"])
def test_what_a_process_works_on_is_left_to_it(
    operator: Client, create: Create, action: str, worker: str | None
) -> None:
    transfer = create(worker)

    page = words_of(operator.post(f"{page_of(transfer)}{action}/", follow=True))

    assert "A process works on this transfer just now" in page
    assert Transfer.objects.get().state == transfer.state


def test_a_destination_that_has_moved_is_not_asked(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 1)
    transfer = sent(archive(), folder)
    transfer.destination.port = (transfer.destination.port or 0) + 1
    transfer.destination.save()

    page = words_of(operator.post(f"{page_of(transfer)}verify/", follow=True))

    assert "pointed to another archive" in page
    assert "the destination was pointed to" in page


@pytest.mark.parametrize("action", ["cancel", "retry", "verify"])
def test_viewers_may_change_nothing(viewer: Client, create: Create, action: str) -> None:
    transfer = create()

    answer = viewer.post(f"{page_of(transfer)}{action}/")

    assert answer.status_code == 403
    assert not Transfer.objects.filter(cancel_requested_at__isnull=False).exists()


def test_viewers_see_no_actions(viewer: Client, create: Create) -> None:
    page = text_of(viewer.get(page_of(create())))

    assert 'method="post" action="/transfers/' not in page


@pytest.mark.parametrize("action", ["cancel", "retry", "verify"])
def test_changes_need_a_post_and_its_token(operator: Client, create: Create, action: str) -> None:
    url = f"{page_of(create())}{action}/"
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies

    assert operator.get(url).status_code == 405
    assert strict.post(url).status_code == 403


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("is_over", [True, False], ids=["ended", "running"])
def test_every_fragment_can_be_fetched_by_itself(operator: Client, create: Create, name: str, is_over: bool) -> None:
    transfer = create(worker="" if is_over else None)
    if is_over:
        services.cancel(transfer)

    answer = operator.get(f"{page_of(transfer)}part/{name}/")

    assert f'id="{name}"' in text_of(answer)
    assert "<html" not in text_of(answer)
    assert f'hx-get="{page_of(transfer)}part/{name}/"' in text_of(answer)


def test_an_unknown_transfer_is_not_found(operator: Client) -> None:
    unknown = "/transfers/00000000-0000-4000-8000-000000000000/"

    assert operator.get(unknown).status_code == 404
    assert operator.get(f"{unknown}part/summary/").status_code == 404
    assert operator.post(f"{unknown}cancel/").status_code == 404


def test_an_unknown_fragment_is_not_found(operator: Client, create: Create) -> None:
    assert operator.get(f"{page_of(create())}part/settings/").status_code == 404


def test_who_is_not_logged_in_is_asked_to(client: Client, create: Create) -> None:
    transfer = create()

    for url in (page_of(transfer), f"{page_of(transfer)}part/summary/"):
        assert client.get(url).status_code == 302
    assert client.post(f"{page_of(transfer)}cancel/").status_code == 302
    assert not Transfer.objects.filter(cancel_requested_at__isnull=False).exists()


def test_it_asks_the_database_as_often_for_a_large_study_as_for_a_small_one(
    operator: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    large = create_large_studies(create_destination(), 300)
    operator.get(page_of(large.finished))

    for transfer in large:
        with django_assert_max_num_queries(45):
            operator.get(page_of(transfer))


def test_the_funnel_shows_what_was_committed_and_compared_and_leads_to_the_rest(
    operator: Client, create: Create
) -> None:
    transfer = create(instances=6, asks_commitment=True)
    uids = [f"2.25.1.{number}" for number in range(1, 7)]
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([], [])
    for said in (
        dict.fromkeys(uids, EvidenceKind.ACKNOWLEDGED),
        dict.fromkeys(uids, EvidenceKind.PRESENT),
        dict.fromkeys(uids[:4], EvidenceKind.COMMITTED) | {uids[4]: EvidenceKind.COMMITMENT_REFUSED},
        {uids[3]: EvidenceKind.COMMITMENT_OVERDUE},
        dict.fromkeys(uids[:2], EvidenceKind.IDENTICAL) | {uids[2]: EvidenceKind.DIFFERENT},
        {uids[0]: EvidenceKind.PROBE_FAILED},
    ):
        ledger.begin_round()
        for uid, kind in said.items():
            ledger.record(Observation(uid, kind, timezone.now()))
    ledger.close()

    page = operator.get(page_of(transfer))

    assert "Committed 4 −2 not committed Present 6 Same content 2 −1 different 3 not compared" in words_of(page)
    assert instances_in(operator.get(link_called(page, "−2 not committed"))) == [5, 6]
    assert instances_in(operator.get(link_called(page, "−1 different"))) == [3]
    assert instances_in(operator.get(link_called(page, "3 not compared"))) == [4, 5, 6]


def test_contradictions_say_which_proofs_deny_each_other_and_lead_to_them(operator: Client, create: Create) -> None:
    transfer = create(instances=3)
    ledger = Ledger(transfer.audit)
    for said in (
        {1: EvidenceKind.PRESENT, 2: EvidenceKind.PRESENT, 3: EvidenceKind.ABSENT},
        {1: EvidenceKind.COMMITMENT_REFUSED, 2: EvidenceKind.COMMITTED, 3: EvidenceKind.COMMITTED},
    ):
        ledger.begin_round()
        for number, kind in said.items():
            ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now()))
    ledger.close()

    page = operator.get(page_of(transfer))
    words = words_of(page).replace("\u00a0", " ")

    assert "Proofs contradict each other for 2 instances" in words
    assert "Storage commitment denies 1 instance, which the destination lists." in words
    denied = link_called(page, "them: Storage commitment denies")
    assert instances_in(operator.get(denied)) == [1]
    assert "Only: Storage commitment denies instances, which the destination lists." in words_of(operator.get(denied))
    assert instances_in(operator.get(link_called(page, "them: The destination does not list"))) == [3]
    assert instances_in(operator.get(f"{page_of(transfer)}?contradiction=any")) == [1, 3]
