"""Studies with every kind of proof and doubt, for tests and pictures of the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

from tests.acceptance.browser.site import Site
from tests.datasets import write_study
from tests.fakes.archive import Archive
from tests.fakes.commitment import CommitmentRequest, Report, silent
from tests.fakes.holdings import Holding
from tests.fakes.script import GetRequest, Script

INSTANCES = 24
SOON = 15_000
"""Milliseconds for what takes a worker, an archive and a browser a moment; a busy machine needs longer."""
_REASONS: Mapping[int, int | None] = {4: 0x0112, 5: 0x0112, 9: 0x0122, 10: 0x0122, 11: 0x0122, 15: None}
"""What the doubtful archive says of which instance."""
_NOT_MENTIONED = 20
_SPOILT, _WITHHELD = {"7", "8"}, {"12"}
"""Instance Numbers."""


class Proofs(NamedTuple):
    """Ids of transfers, and the archive that did not report yet."""

    doubtful: str
    waiting: str
    mute: Archive

    def report(self) -> None:
        """Have the mute archive commit to all that it was asked about."""
        request = self.mute.log.commitments[-1]
        self.mute.report(Report(request.transaction_uid, request.references))


@contextmanager
def proofs(site: Site, *, prefix: str = "") -> Iterator[Proofs]:
    """One transfer to an archive that denies what it lists and changes contents, and one to an archive that is mute."""
    with ExitStack() as stack:
        doubtful = stack.enter_context(Archive(_doubtful(site), ae_title="DOUBTFUL"))
        listener = int(site.shell.environment["DICOM_PORT"])
        mute = stack.enter_context(Archive(Script(reports=silent, reports_to=listener), ae_title="MUTE"))
        asked = ("--commitment", "--verify", "content")
        site.shell.add_destination(f"{prefix}doubtful", doubtful.port, doubtful.ae_title, *asked)
        site.shell.add_destination(f"{prefix}mute", mute.port, mute.ae_title, "--commitment")
        transfers = {}
        for name in ("doubtful", "mute"):
            folder = site.import_root / f"{prefix}{name}-study"
            folder.mkdir()
            write_study(folder, INSTANCES, series=2)
            transfers[name] = site.submit(folder, f"{prefix}{name}")
        site.wait_until(transfers["doubtful"], "finished")
        site.wait_until(transfers["mute"], "awaiting_commitment")
        yield Proofs(transfers["doubtful"], transfers["mute"], mute)


def _doubtful(site: Site) -> Script:
    return Script(reports=_deny, reports_to=int(site.shell.environment["DICOM_PORT"]), gives=_spoil)


def _deny(_: CommitmentRequest, report: Report) -> list[Report]:
    committed, failed = [], list(report.failed)
    for number, (sop_class_uid, uid) in enumerate(report.committed):
        if number in _REASONS:
            failed.append((sop_class_uid, uid, _REASONS[number]))
        elif number != _NOT_MENTIONED:
            committed.append((sop_class_uid, uid))
    return [replace(report, committed=tuple(committed), failed=tuple(failed))]


def _spoil(_: GetRequest, held: list[Holding]) -> Iterator[Holding]:
    """Of some instances it hands over other pixels than it was sent, and some not at all."""
    for holding in held:
        number = holding.identity["InstanceNumber"]
        if number in _SPOILT:
            data_set = holding.data_set[:-1] + bytes([holding.data_set[-1] ^ 1])
            yield replace(holding, data_set=data_set)
        elif number not in _WITHHELD:
            yield holding
