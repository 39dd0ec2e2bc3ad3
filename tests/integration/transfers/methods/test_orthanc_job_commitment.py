"""The report on storage commitment that a source was given, as it tells of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from audit.entries import ManifestEntry
from audit.judgements import InstanceVerdict
from audit.observations import EvidenceKind
from tests.fakes.fixtures import MakeWeb
from tests.fakes.source_jobs import Source, as_json, job
from tests.fakes.web import Asked, Reply
from tests.integration.transfers.methods.jobs import (
    ARCHIVE,
    MODALITY,
    SUCCEEDED,
    SentByJobs,
    context_of,
    send,
    told_entries,
)


@pytest.fixture
def entries() -> list[ManifestEntry]:
    return told_entries()


def report(status: str = "Success", **more: Any) -> dict[str, Any]:
    return {"Status": status, "RemoteAET": "ARCHIVE", "Success": [], "Failures": [], **more}


def reference(entry: ManifestEntry, **more: Any) -> dict[str, Any]:
    return {"SOPClassUID": entry.sop_class_uid, "SOPInstanceUID": entry.sop_instance_uid, **more}


class TestCommitment:
    """What a source tells of the report that it was given."""

    def sent(self, web: MakeWeb, entries: list[ManifestEntry], *reports: Any, asked: Reply | None = None) -> SentByJobs:
        looks = list(reports)

        def told(_: Asked) -> Reply:
            look = looks.pop(0) if len(looks) > 1 else looks[0]
            return look if isinstance(look, Reply) else as_json(look)

        source = Source(
            [job("Success", kind="DicomModalityStore")],
            other={
                "/modalities/DEST/storage-commitment": lambda _: asked or as_json({"ID": "2.25.7"}),
                "/storage-commitment/2.25.7": told,
            },
        )
        context = context_of(web(source).url, ARCHIVE, commitment=True, commitment_timeout_seconds=1)
        return send(MODALITY, entries, context)

    def test_only_what_the_list_of_successes_names_is_committed(
        self, web: MakeWeb, entries: list[ManifestEntry]
    ) -> None:
        alien = replace(entries[0], sop_instance_uid="2.25.99")
        told = report(Success=[reference(entries[0]), reference(alien)])

        sent = self.sent(web, entries, report("Pending"), told)

        assert sent.of(entries[0]) == [SUCCEEDED, EvidenceKind.COMMITTED]
        assert sent.of(entries[1]) == [SUCCEEDED, EvidenceKind.NOT_MENTIONED]
        assert sent.verdict(entries[0]) is InstanceVerdict.CONFIRMED
        assert sent.verdict(entries[1]) is InstanceVerdict.UNPROVEN
        assert sent.of(alien) == []

    def test_a_failure_outweighs_a_success_and_its_reason_decides(
        self, web: MakeWeb, entries: list[ManifestEntry]
    ) -> None:
        failures = [reference(entries[0], FailureReason=0x0112), reference(entries[1], FailureReason=0x0110)]
        told = report("Failure", Success=[reference(entry) for entry in entries], Failures=failures)

        sent = self.sent(web, entries, told)

        assert sent.of(entries[0])[-1] is EvidenceKind.COMMITMENT_REFUSED
        assert sent.detail(entries[0], EvidenceKind.COMMITMENT_REFUSED)["failure_reason"] == "0x0112"
        assert sent.of(entries[1])[-1] is EvidenceKind.COMMITMENT_FAILED
        assert sent.of(entries[2])[-1] is EvidenceKind.COMMITTED
        verdicts = [sent.verdict(entry) for entry in entries]
        assert verdicts == [InstanceVerdict.REFUTED, InstanceVerdict.UNPROVEN, InstanceVerdict.CONFIRMED]

    @pytest.mark.parametrize(
        ("told", "code"),
        [
            ({"Status": "Success", "RemoteAET": "OTHER", "Failures": []}, "wrong_ae_title"),
            ({"Status": "Success"}, "malformed_answer"),
            ({"Status": "Success", "RemoteAET": "ARCHIVE", "Failures": [], "Success": [{}]}, "malformed_answer"),
            (as_json({}, 404), "report_lost"),
        ],
    )
    def test_a_report_that_is_not_understood_or_of_somebody_else_proves_nothing(
        self, web: MakeWeb, entries: list[ManifestEntry], told: Any, code: str
    ) -> None:
        if isinstance(told, dict) and told.get("RemoteAET") == "OTHER":
            told = {**told, "Success": [reference(entry) for entry in entries]}

        sent = self.sent(web, entries, told)

        assert {sent.of(entry)[-1] for entry in entries} == {EvidenceKind.COMMITMENT_FAILED}
        assert sent.detail(entries[0], EvidenceKind.COMMITMENT_FAILED)["code"] == code
        assert sent.verdict(entries[0]) is InstanceVerdict.UNPROVEN

    def test_another_sop_class_is_something_else(self, web: MakeWeb, entries: list[ManifestEntry]) -> None:
        sent = self.sent(web, entries, report(Success=[reference(entries[0], SOPClassUID="1.2.3")]))

        assert sent.detail(entries[0], EvidenceKind.COMMITMENT_FAILED)["code"] == "other_sop_class"

    def test_a_report_that_does_not_come_is_overdue(self, web: MakeWeb, entries: list[ManifestEntry]) -> None:
        sent = self.sent(web, entries, report("Pending"))

        assert {sent.of(entry)[-1] for entry in entries} == {EvidenceKind.COMMITMENT_OVERDUE}

    def test_a_request_that_is_refused_denies_nothing(self, web: MakeWeb, entries: list[ManifestEntry]) -> None:
        refused = as_json({"OrthancStatus": 9, "Message": "Error in the network protocol", "Details": "no"}, 500)

        sent = self.sent(web, entries, report(), asked=refused)

        assert {sent.of(entry)[-1] for entry in entries} == {EvidenceKind.COMMITMENT_FAILED}
        assert sent.verdict(entries[0], EvidenceKind.PRESENT) is InstanceVerdict.CONFIRMED
