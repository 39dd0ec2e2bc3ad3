"""What a transfer's page offers once nobody works on it: to ask again, elsewhere, or to take it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import Ledger, continue_audit
from audit.observations import EvidenceKind, Observation
from tests.integration.transfers.views.reading import page_of, text_of, words_of
from transfers import queue
from transfers.models import Destination, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db

Create = Callable[..., Transfer]
SENT, ACKNOWLEDGED = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED
PRESENT, ABSENT = EvidenceKind.PRESENT, EvidenceKind.ABSENT


@pytest.fixture
def finished(create: Create) -> Transfer:
    """Of three instances, of which one was there before, and all are listed."""
    transfer = create()
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before(["2.25.1.3"], [])
    return _finish(transfer, ledger, {SENT: "12", ACKNOWLEDGED: "12"}, {PRESENT: "123"})


@pytest.fixture
def orthanc(destination: Destination) -> Destination:
    """Another entry for the same archive, over which instances can be removed."""
    side = Destination.objects.create(name="archive-rest", kind="orthanc", url="http://127.0.0.1:8042")
    destination.ask_at.add(side)
    return side


def _finish(transfer: Transfer, ledger: Ledger, *rounds: Mapping[EvidenceKind, str]) -> Transfer:
    for said in rounds:
        ledger.begin_round()
        for kind, numbers in said.items():
            for number in numbers:
                ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now()))
    ledger.close()
    verdict = ledger.audit.verdict
    Transfer.objects.filter(pk=transfer.pk).update(
        audit=ledger.audit, verdict=verdict, state=State.FINISHED, worker="", lease_until=None
    )
    return Transfer.objects.get(pk=transfer.pk)


def verified_again(transfer: Transfer, **said: str) -> Transfer:
    """Asked once more, with another answer."""
    ledger = Ledger(continue_audit(transfer.audit, Policy()))
    return _finish(transfer, ledger, {EvidenceKind(kind): numbers for kind, numbers in said.items()})


@pytest.mark.parametrize(
    ("asked", "verify"),
    [
        ({}, "presence"),
        ({"verify": "presence"}, "presence"),
        ({"verify": "content"}, "content"),
        ({"verify": "content", "sample_percent": "15"}, "content:15%"),
    ],
    ids=["nothing said", "presence", "content", "a sample"],
)
def test_it_is_asked_again_as_one_says(
    operator: Client, finished: Transfer, asked: dict[str, str], verify: str
) -> None:
    operator.post(page_of(finished, "verify/"), asked)

    finished.refresh_from_db()
    assert (finished.state, finished.purpose, finished.verify) == ("queued", "verify", verify)
    assert finished.asks_commitment is False


def test_it_can_be_asked_to_commit_with_it(operator: Client, finished: Transfer) -> None:
    operator.post(page_of(finished, "verify/"), {"verify": "presence", "asks_commitment": "on"})

    finished.refresh_from_db()
    assert finished.asks_commitment is True


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"verify": "presence", "sample_percent": "15"}, "A sample is one of the content"),
        ({"verify": "content", "sample_percent": "0"}, "greater than or equal to 1"),
        ({"verify": "none"}, "not one of the available choices"),
        ({"destination": "nowhere"}, "not one of the available choices"),
    ],
    ids=["sample of presence", "no percent", "nothing asked", "unknown destination"],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(
    operator: Client, finished: Transfer, asked: dict[str, str], words: str
) -> None:
    answer = operator.post(page_of(finished, "verify/"), asked, follow=True)

    assert words in words_of(answer)
    finished.refresh_from_db()
    assert finished.state == State.FINISHED


def test_another_destination_is_asked_in_a_transfer_of_its_own(
    operator: Client, finished: Transfer, orthanc: Destination
) -> None:
    answer = operator.post(
        page_of(finished, "verify/"), {"verify": "content", "destination": "archive-rest"}, follow=True
    )

    inquiry = Transfer.objects.get(destination=orthanc)
    assert (inquiry.method, inquiry.verify, inquiry.state, inquiry.instances) == (None, "content", "queued", 3)
    assert answer.redirect_chain == [(page_of(inquiry), 302)]
    assert "archive-rest will be asked whether it holds the same study" in words_of(answer)
    assert "operator" in words_of(answer)
    finished.refresh_from_db()
    assert finished.state == State.FINISHED


def test_a_destination_over_http_cannot_be_asked_to_commit(
    operator: Client, finished: Transfer, orthanc: Destination
) -> None:
    asked = {"verify": "presence", "destination": "archive-rest", "asks_commitment": "on"}

    answer = operator.post(page_of(finished, "verify/"), asked, follow=True)

    assert "Storage Commitment is asked of DICOM destinations only" in words_of(answer)
    assert not Transfer.objects.filter(destination=orthanc).exists()


def test_when_it_is_asked_again_by_itself_is_shown(viewer: Client, finished: Transfer) -> None:
    Transfer.objects.update(reverify_at=timezone.now() + timedelta(days=7))

    assert "It is asked again by itself" in words_of(viewer.get(page_of(finished)))


def test_before_anything_is_removed_it_says_how_much(
    operator: Client, finished: Transfer, orthanc: Destination
) -> None:
    page = operator.get(page_of(finished))
    asks_first = words_of(operator.get(page_of(finished, "roll-back/")))

    assert f'href="{page_of(finished, "roll-back/")}"' in text_of(page)
    assert "Remove 2 instances again" in words_of(page)
    assert "2 instances : what this transfer began to send and what was not there before" in asks_first
    assert "1 instance of the study stays as it is" in asks_first


def test_it_is_removed_once_one_says_so(operator: Client, finished: Transfer, orthanc: Destination) -> None:
    operator.get(page_of(finished, "roll-back/"))
    before = Transfer.objects.get().state

    operator.post(page_of(finished, "roll-back/"))

    finished.refresh_from_db()
    assert before == State.FINISHED
    assert (finished.state, finished.purpose) == ("queued", "roll_back")


def test_where_nothing_can_be_removed_it_says_why(operator: Client, finished: Transfer) -> None:
    page = words_of(operator.get(page_of(finished)))
    asks_first = words_of(operator.get(page_of(finished, "roll-back/")))
    refused = words_of(operator.post(page_of(finished, "roll-back/"), follow=True))

    for words in (page, asks_first, refused):
        assert "offers no way to remove instances" in words
    assert "Remove 2 instances" not in asks_first
    finished.refresh_from_db()
    assert finished.state == State.FINISHED


def test_what_this_transfer_did_not_bring_is_not_removed(
    operator: Client, create: Create, orthanc: Destination
) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([f"2.25.1.{number}" for number in (1, 2, 3)], [])
    transfer = _finish(transfer, ledger, {SENT: "123", ACKNOWLEDGED: "123"}, {PRESENT: "123"})

    refused = words_of(operator.post(page_of(transfer, "roll-back/"), follow=True))

    assert "it brought nothing there" in refused
    transfer.refresh_from_db()
    assert transfer.state == State.FINISHED


@pytest.mark.parametrize("action", ["verify", "ask-to-commit", "roll-back", "alarm-seen"])
def test_who_may_only_look_changes_nothing(viewer: Client, finished: Transfer, action: str) -> None:
    before = Transfer.objects.values().get()

    assert viewer.post(page_of(finished, f"{action}/"), {"verify": "content"}).status_code == 403
    assert Transfer.objects.values().get() == before


def test_who_may_only_look_sees_no_form(viewer: Client, finished: Transfer, orthanc: Destination) -> None:
    assert "<form" not in text_of(viewer.get(page_of(finished, "part/again/")))
    assert viewer.get(page_of(finished, "roll-back/")).status_code == 403


@pytest.mark.parametrize("action", ["ask-to-commit", "alarm-seen"])
def test_a_change_needs_a_post(operator: Client, finished: Transfer, action: str) -> None:
    assert operator.get(page_of(finished, f"{action}/")).status_code == 405


def test_while_a_process_works_on_it_nothing_is_offered(operator: Client, create: Create) -> None:
    transfer = create()
    queue.move(transfer, State.PREPARING)

    page = text_of(operator.get(page_of(transfer)))

    assert "again-title" not in page
    assert "roll-back" not in page


def test_what_waits_for_a_report_can_be_asked_again_or_left(operator: Client, finished: Transfer) -> None:
    Transfer.objects.update(state=State.AWAITING_COMMITMENT)

    words = words_of(operator.get(page_of(finished)))

    assert "Stop waiting" in words
    assert "Verify again" in words


def test_what_was_committed_and_now_lacks_something_is_an_alarm(operator: Client, finished: Transfer) -> None:
    whole = verified_again(finished, identical="3")
    lost = verified_again(whole, present="13", absent="2")
    Transfer.objects.update(missing_since=timezone.now())

    page = words_of(operator.get(page_of(lost))).replace("\u00a0", " ")

    assert whole.verdict == "committed"
    assert "It was committed, and now lacks 1 instance" in page
    assert "Found to be committed." in page
    assert "Found to lack 1 instance, which nobody here had removed." in page


def test_an_alarm_goes_once_somebody_has_seen_it(operator: Client, finished: Transfer) -> None:
    Transfer.objects.update(missing_since=timezone.now())

    page = words_of(operator.post(page_of(finished, "alarm-seen/"), follow=True))

    assert Transfer.objects.get().missing_since is None
    assert "and now lacks" not in page
    assert "The alarm was seen" in page
    assert "operator" in page


def test_every_verdict_stays_with_its_reason(operator: Client, finished: Transfer) -> None:
    again = verified_again(finished, identical="3")
    newest = verified_again(again, absent="2")

    words = words_of(operator.get(page_of(newest, "part/verdicts/")))

    assert [words.index(each.reason) for each in newest.audit.chain()] == sorted(
        words.index(each.reason) for each in newest.audit.chain()
    )
    assert len({each.reason for each in newest.audit.chain()}) == 3
    assert "1 ·" in words
    assert "3 ·" in words


def test_a_single_verdict_is_not_listed(operator: Client, finished: Transfer) -> None:
    assert "Every verdict so far" not in words_of(operator.get(page_of(finished)))


def test_a_stable_study_event_of_a_part_is_told_on_top(operator: Client, finished: Transfer) -> None:
    queue.record_event(finished, "stable_study_fired", None, stored=1, of=3, complete=False)
    queue.record_event(finished, "stable_study_fired", None, stored=3, of=3, complete=True)

    summary = words_of(operator.get(page_of(finished, "part/summary/"))).replace("\u00a0", " ")

    assert "StableStudy fired at 1 of 3: whoever relied on it has a partial study" in summary
    assert "StableStudy fired at the destination with all of 3 instances." in summary
    assert 'data-tone="warning"' in text_of(operator.get(page_of(finished, "part/summary/")))


def test_a_stable_study_event_of_all_is_good_to_know(operator: Client, finished: Transfer) -> None:
    queue.record_event(finished, "stable_study_fired", None, stored=3, of=3, complete=True)

    summary = text_of(operator.get(page_of(finished, "part/summary/")))

    assert 'data-tone="info"' in summary
    assert "with all of 3" in summary


def test_a_stable_study_event_of_which_nobody_knows_is_no_small_number(operator: Client, finished: Transfer) -> None:
    queue.record_event(finished, "stable_study_fired", None, stored=None, of=3, complete=False)

    assert "how many of 3 were there is not known" in words_of(operator.get(page_of(finished, "part/summary/")))
