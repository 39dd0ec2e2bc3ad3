"""The grid and the table of instances on the page of a transfer: what they show, and how they are limited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from tests.commands import sent
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.views.reading import instances_in, link_called, page_of, text_of, words_of
from transfers.instance_listing import PAGE_ROWS
from transfers.models import Transfer

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true", "hx-target": "instances"}
Create = Callable[..., Transfer]


def test_the_table_of_instances_is_fetched_by_the_address_of_the_page(operator: Client, create: Create) -> None:
    answer = operator.get(page_of(create()), headers=HTMX)

    assert instances_in(answer) == [1, 2, 3]
    assert "<html" not in text_of(answer)
    assert answer["Vary"].count("HX-Request") == 1


def test_the_table_is_paged_by_position_both_ways(operator: Client, create: Create) -> None:
    transfer = create(instances=2 * PAGE_ROWS + 20)

    first = operator.get(page_of(transfer))
    second = operator.get(link_called(first, "Next"))
    third = operator.get(link_called(second, "Next"))

    assert [len(instances_in(page)) for page in (first, second, third)] == [PAGE_ROWS, PAGE_ROWS, 20]
    assert instances_in(third)[-1] == 2 * PAGE_ROWS + 20
    assert instances_in(operator.get(link_called(third, "Previous"))) == instances_in(second)


def test_a_cell_of_the_grid_opens_the_table_at_its_instance(operator: Client, create: Create) -> None:
    transfer = create(instances=150)

    assert f'data-opens-at="{page_of(transfer)}?from="' in text_of(operator.get(page_of(transfer)))
    assert instances_in(operator.get(page_of(transfer, "?from=120")))[0] == 120


@pytest.mark.parametrize(
    "query",
    [
        "?from=0",
        "?from=-1",
        "?from=²",
        "?from=999999999999",
        "?verdict=x",
        "?missing=x",
        "?ground=x",
        "?evidence=x",
        "?series=9",
        "?series=x",
        "?asked=x&code=1",
        "?asked=content&code=%25s'",
        "?asked=commitment",
        "?contradiction=x",
        "?contradiction=sent.sent",
        "?contradiction=absent.committed",
    ],
)
def test_an_odd_address_is_no_error(operator: Client, create: Create, query: str) -> None:
    assert operator.get(page_of(create(), query)).status_code == 200


def test_the_table_can_be_searched_by_a_part_of_a_uid(operator: Client, create: Create) -> None:
    assert instances_in(operator.get(page_of(create(instances=12), "?q=.1.12"))) == [12]


def test_the_table_can_be_limited_to_a_series(operator: Client, archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 5, series=2)
    transfer = sent(archive(), folder)

    page = operator.get(page_of(transfer))

    assert "Series 1: 3 instances Series 2: 2 instances" in words_of(page)
    assert instances_in(operator.get(page_of(transfer, "?series=2"))) == [2, 4]


def test_the_grid_says_in_words_which_series_it_is_about(operator: Client, archive: MakeArchive, folder: Path) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 8, series=2)]
    script = Script(on_store=dict.fromkeys((uids[1], uids[4], uids[5]), Answer(0xA700)))
    transfer = sent(archive(script), folder)

    assert "By position: 2 refuted (series 2), 5–6 refuted." in words_of(operator.get(page_of(transfer)))


def test_a_study_of_one_series_offers_no_choice_of_series(operator: Client, create: Create) -> None:
    assert "Any series" not in words_of(operator.get(page_of(create())))


def test_the_table_can_be_limited_by_evidence(operator: Client, archive: MakeArchive, folder: Path) -> None:
    uids = [path.stem.partition("-")[2] for path in write_study(folder, 4)]
    transfer = sent(archive(Script(on_store={uids[1]: Answer(0xB000)}, hides=uids[2:3])), folder)

    assert instances_in(operator.get(page_of(transfer, "?evidence=absent"))) == [3]
    assert instances_in(operator.get(page_of(transfer, "?evidence=acknowledged"))) == [1, 2, 3, 4]


def test_what_a_link_limits_the_table_to_is_said_above_it(operator: Client, create: Create) -> None:
    page = operator.get(page_of(create(), "?ground=absent&code=0xA700"))

    assert "Only: not found at the destination, last answered with 0xA700." in words_of(page)
    assert "Only:" not in words_of(operator.get(page_of(Transfer.objects.get())))


def test_where_no_instance_matches_it_shows_the_way_back(operator: Client, create: Create) -> None:
    transfer = create()

    page = operator.get(page_of(transfer, "?q=9.9.9"))

    assert "No instance matches" in words_of(page)
    assert link_called(page, "Show all instances") == page_of(transfer)
