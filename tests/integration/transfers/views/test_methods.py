"""The page of methods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Audit
from tests.integration.transfers.views.reading import text_of, words_of
from transfers.methods import METHODS
from transfers.models import Transfer
from transfers.promises import BROKEN_PROMISES

pytestmark = pytest.mark.django_db


def test_every_method_says_what_its_success_is_worth(viewer: Client) -> None:
    page = text_of(viewer.get("/methods/"))

    for key, method in METHODS.items():
        row = page.partition(f'<tr id="method-{key}">')[2].partition("</tr>")[0]
        assert method.label in row
        assert method.sender_can_trust in row
        assert "Committed by “present”" in row or "Committed by “committed”" in row
        assert ("If whole, and committed" in row) == method.destination_may_trust_stable_study


def test_what_an_option_adds_is_said(viewer: Client) -> None:
    page = words_of(viewer.get("/methods/"))

    assert page.count("without its list: unverifiable; committed by “committed” if the source asks for commitment") == 1


def test_where_promises_break_is_shown_with_whom_it_concerns(viewer: Client) -> None:
    page = words_of(viewer.get("/methods/"))

    for each in BROKEN_PROMISES:
        assert each.told in page
        assert each.found in page
    assert "346 of 400" in page
    assert "Every method" in page


def test_what_came_of_it_here_is_shown(viewer: Client, create: Callable[..., Transfer]) -> None:
    transfer = create()
    began_at = timezone.now()
    transfer.attempts.create(
        round=1,
        instances=100,
        size_bytes=50_000_000,
        started_at=began_at,
        ended_at=began_at + timedelta(seconds=4),
    )
    Audit.objects.update(sealed_at=began_at + timedelta(seconds=6), verdict="committed")
    Transfer.objects.update(verdict="committed")

    page = words_of(viewer.get("/methods/"))

    figures = page.partition("Here, so far")[2].partition("Where those promises break")[0]
    for said in ("C-STORE archive 1 Committed 1", "12.5 MB/s", "25/s", "6.0 s of 1"):
        assert said in figures.replace("\u00a0", " ")


def test_without_transfers_it_says_so(viewer: Client) -> None:
    assert "Nothing was sent yet" in text_of(viewer.get("/methods/"))


def test_it_is_in_the_navigation(viewer: Client) -> None:
    assert '<a href="/methods/" aria-current="page">Methods</a>' in text_of(viewer.get("/methods/"))


def test_who_is_not_logged_in_is_asked_to(client: Client) -> None:
    assert client.get("/methods/").status_code == 302
