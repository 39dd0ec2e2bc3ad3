"""Receipts: what they say, that they say nothing of the patient, and that no change of one goes unseen."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from audit.canonical import canonical
from audit.chain import head_of
from audit.escaping import IT_SAYS
from audit.judgements import Ground
from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from audit.receipt_check import Fault
from audit.receipts import AuditIsOpen
from audit.signing_keys import KeyFolder
from tests.integration.transfers.receipts.conftest import COMMENT, check, end, written
from tests.ledgers import ask
from transfers import queue, services
from transfers.errors import ListingRefused
from transfers.models import Transfer
from transfers.receipts import Form, receipt_keys, receipt_of

pytestmark = pytest.mark.django_db


# What it says


def test_a_receipt_says_what_was_proved_and_of_what(transfer: Transfer, document: dict[str, Any]) -> None:
    statement = document["statement"]

    assert statement["transfer"]["id"] == str(transfer.public_id)
    assert statement["transfer"]["input_sha256"] == transfer.manifest_sha256
    assert statement["study_instance_uid"] == "2.25.1"
    assert statement["destination"] == {"name": "archive", "address": "127.0.0.1:104 ARCHIVE"}
    assert (statement["verdict"], statement["proof"]) == ("partial", None)
    assert statement["counts"] == {"instances": 3, "confirmed": 2, "refuted": 1, "unproven": 0, "pending": 0}
    assert statement["destination_may_trust_stable_study"] is False


def test_a_receipt_names_the_audit_and_the_head_of_its_chain(transfer: Transfer, document: dict[str, Any]) -> None:
    (audit,) = document["statement"]["audits"]

    assert audit["id"] == str(transfer.audit.public_id)
    assert audit["head_sha256"] == head_of(transfer.audit_id).sha256
    assert audit["links"] == transfer.audit.links.count()


def test_a_receipt_has_every_instance_with_its_evidence(document: dict[str, Any]) -> None:
    first, _, third = document["instances"]

    assert (first["sop_instance_uid"], first["verdict"], first["ground"]) == ("2.25.1.1", "confirmed", "present")
    assert [each["kind"] for each in first["evidence"]] == ["sent", "acknowledged", "present"]
    assert first["sha256"] == f"{1:064x}"
    assert (third["verdict"], third["evidence"][1]["detail"]) == (
        "refuted",
        {"status_code": "0xA700", "meaning": "Refused: out of resources"},
    )


@pytest.mark.parametrize("form", list(Form))
def test_nothing_that_may_name_the_patient_is_in_it(transfer: Transfer, form: Form) -> None:
    assert COMMENT in transfer.audit.reason
    transfer.study_description = "Somebody's knee"
    transfer.save()

    text = written(transfer, form).decode()

    assert "DOE" not in text
    assert "nowhere" not in text  # the folder that the files lie in
    assert "knee" not in text
    assert "0xA700 Refused: out of resources)" in text


@pytest.mark.parametrize("form", list(Form))
def test_what_a_destination_says_at_the_end_of_a_reason_is_not_in_it(
    create: Callable[..., Transfer], form: Form
) -> None:
    transfer = create()
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    failed = ListingRefused(f"The question was answered with status 0xC000.{IT_SAYS}{COMMENT}")
    detail = {"code": failed.code, "reason": str(failed)}
    for number in (1, 2, 3):
        ledger.record(Observation(f"2.25.1.{number}", EvidenceKind.PROBE_FAILED, timezone.now(), detail))
    ledger.close()
    end(transfer)
    assert COMMENT in transfer.audit.reason

    text = written(transfer, form).decode()

    assert "DOE" not in text
    assert "The question was answered with status 0xC000." in text


def test_the_receipt_of_a_continued_audit_tells_of_the_whole_chain(transfer: Transfer) -> None:
    services.reverify(transfer, "presence", queue.this_process())
    first = transfer.audit.continues
    ask(Ledger(transfer.audit), 3)
    Ledger(transfer.audit).close()

    document = json.loads(written(transfer))

    assert first is not None
    assert [each["id"] for each in document["statement"]["audits"]] == [
        str(first.public_id),
        str(transfer.audit.public_id),
    ]
    assert [each["kind"] for each in document["instances"][0]["evidence"]] == [
        "sent",
        "acknowledged",
        "present",
        "present",
    ]
    assert check(written(transfer)).is_valid


def test_there_is_none_of_an_open_audit(create: Callable[..., Transfer]) -> None:
    with pytest.raises(AuditIsOpen, match="once its audit is sealed"):
        receipt_of(create())


def test_the_digests_do_not_change_from_one_receipt_to_the_next(transfer: Transfer) -> None:
    one, other = (json.loads(written(transfer))["statement"]["digests"] for _ in range(2))

    assert one == other


def test_a_study_larger_than_is_kept_in_memory(transfer: Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.receipts.SPOOL_BYTES", 100)
    monkeypatch.setattr("audit.receipts.CHUNK_ROWS", 2)

    assert check(written(transfer)).is_valid


# CSV


def test_the_csv_has_a_row_an_instance_and_its_signature_as_a_comment(transfer: Transfer) -> None:
    text = written(transfer, Form.CSV).decode()

    rows = list(csv.DictReader(io.StringIO(text.split("\n# ")[0])))

    assert [row["sop_instance_uid"] for row in rows] == ["2.25.1.1", "2.25.1.2", "2.25.1.3"]
    assert (rows[2]["verdict"], rows[2]["why"]) == ("refuted", "not found at the destination")
    assert "refused" in rows[2]["evidence"]
    assert "0xA700" in rows[2]["evidence"]
    assert json.loads(text.splitlines()[-1].removeprefix("# ")).keys() == {"statement", "signature"}


def test_no_cell_is_taken_for_a_formula(transfer: Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.receipts.GROUND_WORDS", dict.fromkeys(Ground, "=HYPERLINK(1)"))

    text = written(transfer, Form.CSV).decode()

    assert "'=HYPERLINK(1)" in text
    assert ",=" not in text


def test_a_csv_is_checked_by_itself(transfer: Transfer) -> None:
    assert check(written(transfer, Form.CSV)).is_valid


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"refuted", b"confirmed"), (b"2.25.1.3,", b"2.25.1.4,"), (b"\r\n2.25.1.2", b"\r\n\r\n2.25.1.2")],
)
def test_a_csv_whose_rows_were_changed_is_named(transfer: Transfer, before: bytes, after: bytes) -> None:
    content = written(transfer, Form.CSV)
    assert before in content

    found = check(content.replace(before, after, 1))

    assert found.fault is Fault.CHANGED
    assert "the rows of the CSV file was changed: rows_sha256" in found.says


def test_a_csv_that_a_spreadsheet_has_saved_again_is_no_receipt_any_more(transfer: Transfer) -> None:
    text = written(transfer, Form.CSV).decode()
    again = io.StringIO()
    csv.writer(again, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(text)))

    assert not check(again.getvalue().encode()).is_valid


# Changes


def test_a_receipt_is_valid_however_it_is_spelled(document: dict[str, Any]) -> None:
    """What is signed is the value, not the bytes of the file."""
    for text in (json.dumps(document), json.dumps(document, indent=4, sort_keys=True), canonical(document)):
        found = check(text.encode())
        assert found.is_valid, found.says
        assert found.says == "Signed with the key of this installation, and unchanged since."


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """To every value of a document that holds no other."""
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths_of(value[key], (*path, key))
    else:
        yield path


def changed(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    return f"{value}0" if isinstance(value, str) else "something"


def test_no_value_of_a_receipt_can_be_changed_unseen(document: dict[str, Any]) -> None:
    paths = list(paths_of(document))
    assert len(paths) > 80

    for path in paths:
        copy = json.loads(json.dumps(document))
        *parents, last = path
        place = copy
        for key in parents:
            place = place[key]
        place[last] = changed(place[last])

        assert not check(json.dumps(copy).encode()).is_valid, path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda it: it["statement"].update(verdict="committed"), "The statement, its key or its signature was changed"),
        (lambda it: it["instances"].pop(), "the list of instances was changed: manifest_sha256"),
        (lambda it: it["instances"].reverse(), "the list of instances was changed: manifest_sha256"),
        (lambda it: it["instances"][2].update(verdict="confirmed"), "evidence, was changed: evidence_sha256"),
        (lambda it: it["instances"][2]["evidence"].pop(), "evidence, was changed: evidence_sha256"),
        (lambda it: it["instances"][2].update(size_bytes=1), "the list of instances was changed: manifest_sha256"),
        (lambda it: it["signature"].update(value="00" * 64), "its signature was changed"),
    ],
)
def test_what_was_changed_after_signing_is_named(
    document: dict[str, Any], change: Callable[[dict[str, Any]], object], says: str
) -> None:
    change(document)

    found = check(json.dumps(document).encode())

    assert found.fault is Fault.CHANGED
    assert says in found.says


@pytest.mark.parametrize("place", ["document", "signature", "instance"])
def test_nothing_unsigned_can_be_added(document: dict[str, Any], place: str) -> None:
    places = {"document": document, "signature": document["signature"], "instance": document["instances"][2]}
    places[place]["final_verdict"] = "committed"

    found = check(json.dumps(document).encode())

    assert found.fault is Fault.NOT_A_RECEIPT
    assert "not signed" in found.says


def test_nothing_unsigned_can_be_added_to_a_csv(transfer: Transfer) -> None:
    content = written(transfer, Form.CSV).replace(b'# {"signature":', b'# {"final_verdict":"committed","signature":')

    assert check(content).fault is Fault.NOT_A_RECEIPT


def test_who_signs_again_with_a_key_of_their_own_is_not_believed(document: dict[str, Any], tmp_path: Path) -> None:
    forger = KeyFolder(tmp_path).current()
    document["statement"]["verdict"] = "committed"
    document["signature"] |= {
        "key_id": forger.public.key_id,
        "public_key": forger.public.raw.hex(),
        "value": forger.sign(canonical(document["statement"]).encode()).hex(),
    }

    found = check(json.dumps(document).encode())

    assert found.fault is Fault.UNKNOWN_KEY
    assert "none of this installation's" in found.says


def test_a_key_that_is_given_is_the_only_one_that_will_do(document: dict[str, Any], tmp_path: Path) -> None:
    content = json.dumps(document).encode()

    assert check(content, receipt_keys().current().public).is_valid
    assert check(content, KeyFolder(tmp_path).current().public).fault is Fault.UNKNOWN_KEY


def test_a_receipt_outlives_its_key(document: dict[str, Any]) -> None:
    receipt_keys().rotate()

    assert check(json.dumps(document).encode()).says.startswith("Signed with an earlier key of this installation")


NO_RECEIPTS = {
    "nothing": b"",
    "a text": b"All is well.",
    "JSON of another kind": b"{}",
    "a list": b"[1]",
    "no JSON": b"{",
    "not UTF-8": b"{\xff}",
    "nested too deeply": b'{"a":' * 100_000,
    "a name twice": b'{"statement": {}, "statement": {}, "instances": []}',
    "no instances": b'{"statement": {"format": "tallyman-receipt", "version": 1}}',
    "a later version": b'{"statement": {"format": "tallyman-receipt", "version": 2}, "instances": []}',
    "an instance of another kind": b'{"statement": {"format": "tallyman-receipt", "version": 1}, "instances": [1]}',
    "no signature": b'{"statement": {"format": "tallyman-receipt", "version": 1, "digests": {}}, "instances": []}',
    "not a number": b'{"statement": NaN, "instances": []}',
    "an endless number": b'{"statement": ' + b"1" * 5_000 + b', "instances": []}',
    "a CSV without a signature": b"sop_instance_uid,verdict\r\n2.25.1.1,confirmed\r\n",
    "a CSV with a comment": b"sop_instance_uid,verdict\r\n# nothing\r\n",
    "the report": b'{"transfers": [], "skipped": []}',
}


@pytest.mark.parametrize("name", NO_RECEIPTS)
def test_anything_else_is_no_receipt(name: str) -> None:
    found = check(NO_RECEIPTS[name])

    assert found.fault is Fault.NOT_A_RECEIPT
    assert found.says.startswith("This is not a receipt: ")
