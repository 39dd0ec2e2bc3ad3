"""`manage.py send` to archives whose lists are right, wrong, late or not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import destination_for, send, uids_of
from tests.datasets import write_study
from tests.fakes.acts import Abort, Act, Answer, Close
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import capped, repeated, yes_to_every_direct_question
from tests.fakes.script import Script, every, from_number

pytestmark = pytest.mark.django_db

COMMITTED, PARTIAL = (0, "committed"), (3, "partial")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [
        (Script(without_sop_classes=[FIND]), 5),
        (Script(on_find=Answer(0xA700)), 5),
        (Script(on_find=Answer(0xC001)), 5),
        (Script(on_find=Abort()), 5),
        (Script(on_find=Close()), 5),
        (Script(rows=capped(2)), 0),
        (Script(rows=repeated(3)), 0),
        (Script(rows=yes_to_every_direct_question), 5),
        (Script(late_seconds=0.2), 0),
    ],
    ids=["not-offered", "A700", "C001", "aborts", "closes", "capped", "repeated", "invents", "late"],
)
def test_a_list_is_believed_only_as_far_as_it_goes(
    archive: MakeArchive, folder: Path, script: Script, exit_code: int
) -> None:
    write_study(folder, 5)

    outcome = send(destination_for(archive(script)), folder)

    assert outcome.exit_code == exit_code


def test_an_instance_that_is_hidden_from_every_list_is_refuted(archive: MakeArchive, folder: Path) -> None:
    uids = uids_of(write_study(folder, 5))

    outcome = send(destination_for(archive(Script(hides=[uids[4]]))), folder)

    assert (outcome.exit_code, outcome.verdicts[uids[4]]) == (3, "refuted")


@pytest.mark.parametrize("before", [Answer(0xA700), Answer(stores=False)], ids=["refused", "dropped"])
def test_what_breaks_off_in_the_list_never_makes_a_study_committed(
    archive: MakeArchive, folder: Path, before: Act
) -> None:
    write_study(folder, 10)
    peer = archive(Script(on_store=every(5, before), on_row=from_number(6, Answer(0xA700))))

    outcome = send(destination_for(peer), folder)

    assert outcome.exit_code in {3, 5}
