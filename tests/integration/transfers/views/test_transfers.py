"""The list of transfers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Audit
from tests.bench.rows import create_transfers
from tests.integration.transfers.views.reading import link_in, text_of, transfers_in, words_of
from transfers.models import CommitmentRequest, Destination, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db

LIST = "/transfers/"
HTMX = {"hx-request": "true", "hx-target": "transfers"}
Create = Callable[..., Transfer]


@pytest.fixture
def ended(create: Create) -> Create:
    """Create a transfer that ended with a verdict, just now unless told otherwise."""

    def ended(verdict: str = "committed", state: State = State.FINISHED, at: datetime | None = None, **fields: Any):  # type: ignore[no-untyped-def]
        transfer, at = create(worker=""), at or timezone.now()
        tally = {"instances": 3, "confirmed": 3 if verdict == "committed" else 1}
        proof = "present" if verdict == "committed" else ""
        Audit.objects.filter(pk=transfer.audit_id).update(
            verdict=verdict, proof=proof, reason=f"It is {verdict}.", tally=tally, sealed_at=at
        )
        dates = {"created_at": at, "finished_at": at}
        Transfer.objects.filter(pk=transfer.pk).update(verdict=verdict, state=state, **(dates | fields))
        return Transfer.objects.get(pk=transfer.pk)

    return ended


def shown(browser: Client, query: str = "") -> list[str]:
    return transfers_in(browser.get(f"{LIST}{query}"))


def ids(*transfers: Transfer) -> list[str]:
    return [str(transfer.public_id) for transfer in transfers]


def test_without_transfers_it_says_how_to_begin(operator: Client) -> None:
    page = text_of(operator.get(LIST))

    assert "Nothing was sent yet" in page
    assert 'href="/new/"' in page


def test_who_may_only_look_is_not_told_to_send(viewer: Client) -> None:
    page = text_of(viewer.get(LIST))

    assert "Nothing was sent yet" in page
    assert "/new/" not in page


def test_a_row_says_what_it_is_where_it_went_and_what_is_proved(operator: Client, ended: Create) -> None:
    ended(study_description="Brain w/wo contrast", study_date="2026-03-14", modalities="MR,SR", size_bytes=96_000_000)

    row = words_of(operator.get(LIST))

    assert "Brain w/wo contrast" in row
    assert "14 Mar 2026" in row
    assert "MR, SR" in row
    assert "3 instances" in row
    assert "96.0 MB" in row
    assert "archive" in row
    assert "Committed present" in row


def test_a_row_of_what_is_not_proved_says_why_and_offers_to_resend(operator: Client, ended: Create) -> None:
    transfer = ended("partial")

    page = operator.get(LIST)

    assert "Partial 1 of 3" in words_of(page)
    assert "It is partial." in words_of(page)
    assert f'action="/transfers/{transfer.public_id}/retry/"' in text_of(page)
    assert "Resend 2" in words_of(page)


def test_a_row_of_what_runs_says_where_it_is_and_offers_to_cancel(operator: Client, create: Create) -> None:
    transfer = create()

    page = operator.get(LIST)

    assert "Starting" in words_of(page)
    assert f'action="/transfers/{transfer.public_id}/cancel/"' in text_of(page)


def test_viewers_are_offered_nothing_to_do(viewer: Client, create: Create, ended: Create) -> None:
    create()
    ended("partial")

    page = text_of(viewer.get(LIST))

    assert page.count("<tr id=") == 2
    assert "Resend" not in page
    assert "/cancel/" not in page


def test_the_newest_come_first(operator: Client, ended: Create) -> None:
    first, second = ended(), ended()

    assert shown(operator) == ids(second, first)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?verdict=partial", ["partial"]),
        ("?verdict=partial&verdict=committed", ["other", "partial", "committed"]),
        ("?state=claimed", ["running"]),
        ("?state=claimed&state=finished&verdict=partial", ["partial"]),
        ("?destination=other", ["other"]),
        ("?destination=archive&verdict=committed", ["committed"]),
        ("?destination=nowhere", []),
        ("?show=attention", ["partial"]),
        ("?show=running", ["running"]),
        ("?show=all", ["running", "other", "partial", "committed"]),
    ],
)
def test_it_can_be_filtered(operator: Client, create: Create, ended: Create, query: str, expected: list[str]) -> None:
    other = Destination.objects.create(name="other", host="127.0.0.1", port=105, called_ae_title="OTHER")
    transfers = {"committed": ended(), "partial": ended("partial"), "other": ended(destination=other)}
    transfers["running"] = create()

    assert shown(operator, query) == ids(*(transfers[name] for name in expected))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?since=2026-03-02", ["third", "second"]),
        ("?until=2026-03-02", ["second", "first"]),
        ("?since=2026-03-02&until=2026-03-02", ["second"]),
        ("?since=2026-03-04", []),
    ],
)
def test_it_can_be_filtered_by_whole_days(operator: Client, ended: Create, query: str, expected: list[str]) -> None:
    transfers = {
        "first": ended(at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)),
        "second": ended(at=datetime(2026, 3, 2, tzinfo=UTC)),
        "third": ended(at=datetime(2026, 3, 3, tzinfo=UTC)),
    }

    assert shown(operator, query) == ids(*(transfers[name] for name in expected))


def test_it_can_be_searched_by_words_of_the_description_in_any_order(operator: Client, ended: Create) -> None:
    found = ended(study_description="CT Thorax 12")
    ended(study_description="CT Abdomen 12")

    assert shown(operator, "?q=12+thorax") == ids(found)


def test_it_can_be_searched_by_the_beginning_of_a_study_instance_uid(operator: Client, ended: Create) -> None:
    found = ended(study_instance_uid="1.2.3.44")
    ended(study_instance_uid="1.2.4.44")

    assert shown(operator, "?q=1.2.3") == ids(found)


def test_it_can_be_searched_by_the_id_of_a_transfer(operator: Client, ended: Create) -> None:
    found = ended()
    ended()

    assert shown(operator, f"?q={found.public_id}") == ids(found)


@pytest.mark.parametrize("text", ["100%25", "_", "%5C", "%00", "'"])
def test_what_is_searched_for_is_taken_as_it_is_written(operator: Client, ended: Create, text: str) -> None:
    ended(study_description="CT Thorax")

    answer = operator.get(f"{LIST}?q={text}")

    assert answer.status_code == 200
    assert transfers_in(answer) in ([], shown(operator))
    assert text == "%00" or transfers_in(answer) == []


def test_the_search_field_says_that_it_is_no_place_for_patient_names(operator: Client) -> None:
    assert "no patient names" in text_of(operator.get(LIST))


@pytest.mark.parametrize(
    "query",
    [
        "?state=nonsense",
        "?since=yesterday",
        "?until=9999-12-31",
        "?before=nothing",
        "?show=nonsense",
        f"?before={'0' * 32}",
    ],
)
def test_what_cannot_be_understood_limits_nothing(operator: Client, ended: Create, query: str) -> None:
    transfer = ended()

    assert shown(operator, query) == ids(transfer)


def test_where_nothing_matches_it_shows_the_way_back(operator: Client, ended: Create) -> None:
    ended()

    page = text_of(operator.get(f"{LIST}?verdict=partial"))

    assert "No transfer matches" in page
    assert '<a class="button" href="/transfers/">' in page


def test_the_filters_that_are_set_stay_chosen(operator: Client, ended: Create) -> None:
    ended("partial")

    page = text_of(operator.get(f"{LIST}?verdict=partial&q=thorax&since=2026-03-02"))

    assert '<option value="partial" selected>' in page
    assert 'value="thorax"' in page
    assert 'value="2026-03-02"' in page


def test_attention_is_called_to_what_stands_still_but_not_to_what_was_cancelled(
    operator: Client, create: Create, ended: Create
) -> None:
    interrupted = create()
    Transfer.objects.update(state=State.INTERRUPTED)
    ended("partial", State.CANCELLED)
    partial = ended("partial")

    page = operator.get(f"{LIST}?show=attention")

    assert transfers_in(page) == ids(partial, interrupted)
    assert "Needs attention 2" in words_of(page)


def test_the_tiles_count_what_was_committed_today_and_what_needs_attention_however_old(
    operator: Client, create: Create, ended: Create
) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    for verdict, at in (("committed", None), ("committed", long_ago), ("partial", None), ("partial", long_ago)):
        ended(verdict, at=at)
    ended("unverifiable")
    create()

    words = words_of(operator.get(LIST))

    assert "1 committed today 2 partial 0 nothing stored 1 unverifiable 0 missing again 1 running" in words


@pytest.mark.parametrize("label", ["committed today", "partial", "unverifiable", "running"])
def test_a_tile_leads_to_what_it_counts(operator: Client, create: Create, ended: Create, label: str) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    for verdict, at in (("committed", None), ("committed", long_ago), ("partial", None), ("partial", long_ago)):
        ended(verdict, at=at)
    ended("partial", State.CANCELLED)
    ended("unverifiable")
    create()
    tiles = re.findall(
        r'class="tile" href="([^"]+)".*?data-count="[^"]*">(\d+)</span></span>\s*<span>([^<]+)<',
        text_of(operator.get(LIST)),
        re.DOTALL,
    )

    (url, count) = next((url, count) for url, count, of in tiles if of == label)

    assert len(shown(operator, url)) == int(count) > 0
    assert text_of(operator.get(f"{LIST}{url}")).count('aria-current="true">\n        <span class="tile__count">') == 1


def overdue(transfer: Transfer, hours_ago: float, *, is_overdue: bool = True) -> CommitmentRequest:
    """A request of so long ago whose report did not come."""
    at = timezone.now() - timedelta(hours=hours_ago)
    return CommitmentRequest.objects.create(
        transfer=transfer,
        transaction_uid=f"2.25.{CommitmentRequest.objects.count() + 1}",
        round=1,
        sop_instance_uids=["2.25.1.1"],
        called_ae_title="ARCHIVE",
        created_at=at,
        sent_at=at,
        due_at=at + timedelta(hours=1),
        closed_at=at + timedelta(hours=1) if is_overdue else None,
        is_overdue=is_overdue,
    )


def test_what_is_overdue_is_found_until_it_is_asked_anew(operator: Client, ended: Create) -> None:
    late, again, _ = ended(), ended(), ended()
    for transfer in (late, again):
        overdue(transfer, 3)
        overdue(transfer, 3)
    overdue(again, 0.5, is_overdue=False)

    assert shown(operator, "?show=overdue") == ids(late)
    assert "Overdue 1" in words_of(operator.get(LIST))


def test_what_was_committed_and_now_lacks_something_is_found(operator: Client, ended: Create) -> None:
    lost, _ = ended("partial", missing_since=timezone.now()), ended("partial")

    words = words_of(operator.get(LIST))

    assert shown(operator, "?show=missing") == ids(lost)
    assert "1 missing again" in words
    assert "Missing again 1" in words


def test_a_row_that_waits_for_a_report_says_when_it_is_due(operator: Client, create: Create) -> None:
    transfer = create()
    Transfer.objects.update(state=State.AWAITING_COMMITMENT, worker="", lease_until=None)
    overdue(transfer, 0.5, is_overdue=False)

    words = words_of(operator.get(LIST)).replace("\u00a0", " ")

    assert "Awaiting commitment" in words
    assert re.search(r"the report on what is committed is due in (29|30) min", words)


def test_a_row_that_is_removed_again_says_so(operator: Client, create: Create) -> None:
    create()
    Transfer.objects.update(state=State.ROLLING_BACK)

    assert "Removing again" in words_of(operator.get(LIST))


def test_pages_hold_each_transfer_once_in_both_directions(operator: Client, destination: Destination) -> None:
    create_transfers(destination, 120)
    newest_first = ids(*Transfer.objects.order_by("-pk"))

    pages = [operator.get(LIST)]
    while next_url := link_in(pages[-1], "next"):
        pages.append(operator.get(next_url))
    back = [pages[-1]]
    while previous_url := link_in(back[-1], "prev"):
        back.append(operator.get(previous_url))

    assert [len(transfers_in(page)) for page in pages] == [50, 50, 20]
    assert [each for page in pages for each in transfers_in(page)] == newest_first
    assert [each for page in reversed(back) for each in transfers_in(page)] == newest_first


def test_a_page_does_not_move_when_new_transfers_come(operator: Client, destination: Destination) -> None:
    create_transfers(destination, 60)
    second = link_in(operator.get(LIST), "next")
    before = shown(operator, second.removeprefix(LIST))

    create_transfers(destination, 5)

    assert shown(operator, second.removeprefix(LIST)) == before


def test_the_next_page_keeps_the_filters(operator: Client, destination: Destination) -> None:
    create_transfers(destination, 120)

    second = link_in(operator.get(f"{LIST}?verdict=committed&verdict=partial&q=thorax"), "next")

    assert "verdict=committed&verdict=partial&q=thorax&before=" in second
    assert shown(operator, second.removeprefix(LIST)) != []


def test_htmx_is_answered_with_the_rows_alone(operator: Client, ended: Create) -> None:
    ended()

    answer = operator.get(LIST, headers=HTMX)

    assert "<html" not in text_of(answer)
    assert len(transfers_in(answer)) == 1
    assert answer["Vary"].count("HX-Request") == 1


def test_it_asks_the_database_as_often_for_fifty_as_for_one(
    operator: Client, destination: Destination, django_assert_max_num_queries: Any
) -> None:
    create_transfers(destination, 60)
    operator.get(LIST)

    with django_assert_max_num_queries(20):
        operator.get(LIST)


def test_the_front_page_leads_to_it(operator: Client) -> None:
    assert operator.get("/")["Location"] == LIST


def test_who_is_not_logged_in_is_asked_to(client: Client, db: None) -> None:
    assert client.get(LIST)["Location"] == f"/account/login/?next={LIST}"
