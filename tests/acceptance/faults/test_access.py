"""The fault table of what stands in the way: credentials, aliases, and a source that loses what is to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from audit.models import Evidence
from tests.acceptance.faults.cases import Case, MakeRoute, once, study
from tests.peers.orthanc import Orthanc
from tests.settings import TEST_DATABASE
from transfers.methods import METHODS
from transfers.passwords import encrypt_password

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="the faults are those of what stands in the way"),
]

WITH_ALIAS = [key for key in sorted(METHODS) if "alias" in {each.name for each in fields(METHODS[key].Options)}]
SUCCESS = frozenset({"acknowledged", "job-succeeded"})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that lets nobody in without the password, and answers to its own AE title only."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {"DicomCheckCalledAet": True}
    with Orthanc(folder, ae_title="GUARDED", dicom_web=True, users={"us": "secret"}, settings=settings) as peer:
        yield peer


def test_with_wrong_credentials_nothing_is_sent(routes: MakeRoute, guarded: Orthanc, tmp_path: Path) -> None:
    route = routes(guarded, ae_title="WRONG")
    is_dicom = route.method.kinds == ("dicom",)
    login: dict[str, Any] = {} if is_dicom else {"username": "us", "password_encrypted": encrypt_password("wrong")}

    case = Case(route, study(tmp_path, 3)).send(**login)

    case.assert_true()
    assert case.there == {}
    assert case.transfer.verdict in {"nothing-stored", "unverifiable"}
    assert not SUCCESS & {kind for entry in case.entries for kind in case.kinds(entry)}


@pytest.mark.parametrize("key", WITH_ALIAS, indirect=True)
def test_by_an_alias_that_the_source_does_not_know_nothing_is_sent(routes: MakeRoute, tmp_path: Path) -> None:
    route = routes()
    case = Case(route, study(tmp_path, 3))
    route.forget_aliases()

    case.send()

    case.assert_true()
    assert case.transfer.verdict == "nothing-stored"
    codes = Evidence.objects.filter(kind="not-sent").values_list("detail__code", flat=True)
    assert set(codes) == {"alias_unknown"}


def test_what_disappears_from_the_source_while_it_is_sent_is_not_said_to_be_there(
    routes: MakeRoute, tmp_path: Path
) -> None:
    route = routes(source_kind="orthanc")
    case = Case(route, study(tmp_path, 10))
    route.chaos.watch = once(lambda: route.remove(case.entries[-1]), 30_000)

    case.send()

    case.assert_true()
    assert case.transfer.verdict in {"partial", "committed"}
    assert list(case.verdicts.values())[:-1] == ["confirmed"] * 9
