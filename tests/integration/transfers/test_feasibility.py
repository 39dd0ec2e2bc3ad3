"""What is asked for is refused beforehand where it contradicts itself, or cannot be promised at the destination."""

from __future__ import annotations

from typing import Any

import pytest

from transfers.feasibility import NotFeasible, Plan, Wish, plan_of
from transfers.models import Destination, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def orthanc(db: None) -> Destination:
    return Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:8042")


def test_where_nothing_is_said_the_settings_of_the_destination_decide(destination: Destination) -> None:
    assert plan_of(Wish(destination)) == Plan("c-store", "presence", asks_commitment=False)
    destination.verify, destination.offers_commitment = "content:15%", True
    assert plan_of(Wish(destination)) == Plan("c-store-commitment", "content:15%", asks_commitment=True)


@pytest.mark.parametrize(
    ("wish", "plan"),
    [
        ({"asks_commitment": True}, Plan("c-store-commitment", "presence", asks_commitment=True)),
        ({"asks_commitment": False}, Plan("c-store", "presence", asks_commitment=False)),
        ({"method": "c-store"}, Plan("c-store", "presence", asks_commitment=False)),
        ({"method": "c-store", "asks_commitment": True}, Plan("c-store", "presence", asks_commitment=True)),
        ({"is_inquiry": True}, Plan("", "presence", asks_commitment=False)),
        (
            {"is_inquiry": True, "verify": "none", "asks_commitment": True},
            Plan("", "none", asks_commitment=True),
        ),
    ],
    ids=str,
)
def test_at_an_archive_that_offers_commitment(destination: Destination, wish: dict[str, Any], plan: Plan) -> None:
    destination.offers_commitment = True

    assert plan_of(Wish(destination, **wish)) == plan


def test_an_archive_that_was_not_said_to_offer_commitment_may_be_asked_all_the_same(destination: Destination) -> None:
    assert plan_of(Wish(destination, asks_commitment=True)) == Plan("c-store", "presence", asks_commitment=True)


def test_what_is_asked_nothing_after_sending_is_asked_what_it_holds_where_nothing_is_sent(
    destination: Destination,
) -> None:
    destination.verify = "none"

    assert plan_of(Wish(destination, is_inquiry=True)).verify == "presence"
    assert plan_of(Wish(destination)).verify == "none"


@pytest.mark.parametrize(
    ("wish", "field", "reason"),
    [
        ({"is_inquiry": True, "method": "c-store"}, "method", "no method to choose"),
        ({"is_inquiry": True, "rolls_back": True}, "rolls_back", "nothing that could be removed"),
        ({"is_inquiry": True, "send_what_can": True}, "send_what_can", "nothing can be left out"),
        ({"is_inquiry": True, "starts": False}, "starts", "no draft"),
        ({"is_inquiry": True, "verify": "none"}, "verify", "nothing would be asked"),
        ({"rolls_back": True}, "rolls_back", "offers no way to remove instances"),
        ({"method": "c-store-commitment", "asks_commitment": False}, "asks_commitment", "choose another method"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    destination: Destination, wish: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(NotFeasible, match=reason) as refused:
        plan_of(Wish(destination, **wish))

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"method": "c-store"}, "method"),
        ({"asks_commitment": True}, "asks_commitment"),
        ({"is_inquiry": True, "asks_commitment": True}, "asks_commitment"),
    ],
    ids=str,
)
def test_what_belongs_to_dicom_is_not_asked_of_others(orthanc: Destination, wish: dict[str, Any], field: str) -> None:
    with pytest.raises(NotFeasible) as refused:
        plan_of(Wish(orthanc, **wish))

    assert refused.value.field == field


def test_what_is_only_asked_about_has_no_method(orthanc: Destination) -> None:
    assert plan_of(Wish(orthanc, is_inquiry=True)) == Plan("", "presence", asks_commitment=False)


def test_all_or_nothing_is_promised_where_another_side_of_the_archive_deletes(
    destination: Destination, orthanc: Destination
) -> None:
    destination.ask_at.add(orthanc)

    assert plan_of(Wish(destination, rolls_back=True)).method == "c-store"
    with pytest.raises(NotFeasible, match="nobody knows what may be removed"):
        plan_of(Wish(destination, rolls_back=True, verify="none"))


def test_a_job_needs_a_source_that_sends_by_itself(destination: Destination) -> None:
    source = Source(name="research", url="http://127.0.0.1:8042")

    assert plan_of(Wish(destination, method="orthanc-modality-store", source=source)).method == "orthanc-modality-store"
    assert plan_of(Wish(destination, source=source)).method == "c-store"
    with pytest.raises(NotFeasible, match="needs a source that sends by itself") as refused:
        plan_of(Wish(destination, method="orthanc-modality-store"))
    assert refused.value.field == "method"
