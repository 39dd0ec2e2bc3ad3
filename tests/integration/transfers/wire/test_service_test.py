"""The connection test of HTTP services, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.web import Asked, Reply
from tests.fakes.web_archives import always, element, orthanc, qido
from tests.manifests import entry
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from tests.source_entries import stored_at
from transfers.connections import describe
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, OrthancEndpoint
from transfers.wire import service_test
from transfers.wire.connection_test import ConnectionReport

BY_PRESENCE = "It can be asked what it holds: what arrived can be verified by presence."


def test_a_real_orthanc(web_orthanc: Orthanc) -> None:
    report = service_test.test_service(OrthancEndpoint(web_orthanc.url))

    assert (report.is_ok, report.can_be_listed, report.tells_changes) == (True, True, True)
    assert report.name.startswith("Orthanc 1.")
    assert "dicom-web" in report.plugins
    lines = list(describe(report))
    assert BY_PRESENCE in lines
    assert lines[-1].startswith("Its plug-ins: ")


def test_a_real_dicomweb_service(web_orthanc: Orthanc) -> None:
    report = service_test.test_service(DicomWebEndpoint(web_orthanc.dicom_web_url))

    assert (report.is_ok, report.can_be_listed, report.error) == (True, True, "")
    assert BY_PRESENCE in list(describe(report))


@pytest.mark.parametrize("path", ["", "/nothing-here"])
def test_a_root_that_is_none_is_noticed(web_orthanc: Orthanc, tmp_path: Path, path: str) -> None:
    # Orthanc's own REST API has a folder of that name too, and answers with something else, once it holds anything.
    stored_at(web_orthanc, write_study(tmp_path, 1))
    report = service_test.test_service(DicomWebEndpoint(web_orthanc.url + path))

    assert report.is_reachable
    assert not report.can_be_listed


@pytest.mark.parametrize("kind", [OrthancEndpoint, DicomWebEndpoint])
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401), "credentials_refused"),
        (Reply(404), "resource_not_found"),
        (Reply(body=b"<html>", content_type="text/html"), "not_the_service"),
    ],
    ids=["401", "404", "login"],
)
def test_what_is_wrong_is_said(
    web: MakeWeb, kind: type[OrthancEndpoint] | type[DicomWebEndpoint], reply: Reply, code: str
) -> None:
    report = service_test.test_service(kind(web(always(reply)).url))

    assert (report.is_reachable, report.is_ok, report.error_code) == (True, False, code)
    assert report.error in list(describe(report))


def test_a_service_that_is_not_there() -> None:
    report = service_test.test_service(DicomWebEndpoint(f"http://127.0.0.1:{free_port()}"))

    assert (report.is_reachable, report.is_ok, report.error_code) == (False, False, "service_unreachable")
    assert list(describe(report)) == [report.error]


def test_an_orthanc_that_lets_us_read_no_changes_is_fine(web: MakeWeb) -> None:
    report = service_test.test_service(OrthancEndpoint(web(orthanc([entry(1)])).url))

    assert (report.is_ok, report.tells_changes, report.plugins) == (True, False, ())


def test_a_service_that_says_yes_to_anything_is_found_out(web: MakeWeb) -> None:
    def yes(asked: Asked, rows: list[object]) -> list[object]:
        return [{"0020000D": element(asked.query["StudyInstanceUID"])}]

    report = service_test.test_service(DicomWebEndpoint(web(qido([], quirk=yes)).url))

    assert report.says_yes_to_anything
    assert "proves anything" in " ".join(describe(report))


def test_every_kind_of_destination_can_be_tested(archive: MakeArchive, web: MakeWeb) -> None:
    assert isinstance(service_test.test_endpoint(DicomEndpoint("127.0.0.1", free_port(), "A", "B")), ConnectionReport)
    assert isinstance(service_test.test_endpoint(DicomWebEndpoint(web(qido([])).url)), service_test.ServiceReport)
