"""The queue hands each task to one sender, in an order that lets a poison instance wait."""

from __future__ import annotations

import pytest
from pydicom.uid import CTImageStorage, JPEG2000Lossless

from audit.entries import ManifestEntry
from transfers.methods.store_queue import StoreQueue


def entry(number: int, sop_class_uid: str = CTImageStorage) -> ManifestEntry:
    return ManifestEntry(
        sop_instance_uid=f"2.25.{number}",
        sop_class_uid=sop_class_uid,
        study_instance_uid="2.25.1",
        series_instance_uid="2.25.2",
        transfer_syntax_uid=JPEG2000Lossless,
        path=f"/study/{number}",
        member="",
        data_set_offset=100,
        data_set_size=1000,
        modified_ns=1,
        file_size=1100,
    )


def taken(queue: StoreQueue) -> list[str]:
    return [task.entry.sop_instance_uid for task in queue.take_all()]


def test_tasks_are_taken_in_the_order_of_the_entries() -> None:
    queue = StoreQueue([entry(3), entry(1), entry(2)])

    assert taken(queue) == ["2.25.3", "2.25.1", "2.25.2"]
    assert queue.is_empty()


@pytest.mark.parametrize(
    ("put_back", "order"), [("give_back", ["2.25.1", "2.25.2"]), ("put_last", ["2.25.2", "2.25.1"])]
)
def test_what_was_not_begun_is_next_and_what_cost_an_association_is_last(put_back: str, order: list[str]) -> None:
    queue = StoreQueue([entry(1), entry(2)])
    task = queue.take(0)
    assert task is not None

    getattr(queue, put_back)(task)

    assert taken(queue) == order


def test_more_encodings_than_contexts_are_worked_off_plan_by_plan() -> None:
    entries = [entry(number, f"1.2.3.{number}") for number in range(130)]
    queue = StoreQueue(entries)

    assert len(queue.plans) == 2
    assert queue.fullest_plan() == 0
    for _ in range(128):
        assert queue.take(0)
    assert queue.take(0) is None
    assert queue.fullest_plan() == 1
    assert len(taken(queue)) == 2
    assert queue.fullest_plan() is None
