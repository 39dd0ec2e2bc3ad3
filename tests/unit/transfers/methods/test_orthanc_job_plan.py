"""What the next job of a source is to send."""

from __future__ import annotations

from dataclasses import replace

from audit.entries import ManifestEntry
from tests.manifests import study
from transfers.methods.base import ReconnectPolicy
from transfers.methods.orthanc_job_plan import MOST_JOBS, JobPlan

POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=1, losses_per_instance=2)


def manifest(instances: int) -> list[ManifestEntry]:
    return list(study(instances).entries)


def uids(entries: list[ManifestEntry]) -> set[str]:
    return {entry.sop_instance_uid for entry in entries}


def test_the_first_job_has_all_and_after_it_succeeded_there_is_none() -> None:
    entries = manifest(3)
    plan = JobPlan(entries, POLICY)

    assert plan.next_batch() == entries
    plan.succeeded(entries)

    assert plan.next_batch() == []
    assert plan.take_all() == []
    assert not plan.has_given_up


def test_after_a_failure_the_first_that_is_missing_goes_last_and_alone() -> None:
    entries = manifest(5)
    plan = JobPlan(entries, POLICY)

    final = plan.broke_off(entries, uids(entries[2:]))

    assert final == entries[:2]
    assert plan.next_batch() == entries[3:]
    plan.succeeded(entries[3:])
    assert plan.next_batch() == [entries[2]]


def test_an_instance_that_fails_alone_too_is_set_aside() -> None:
    entries = manifest(2)
    plan = JobPlan(entries, POLICY)
    plan.broke_off(entries, uids(entries))
    plan.succeeded(entries[1:])

    assert plan.broke_off(entries[:1], uids(entries[:1])) == entries[:1]

    assert plan.next_batch() == []
    assert not plan.has_given_up


def test_a_single_instance_is_tried_as_often_as_any_other() -> None:
    entries = manifest(1)
    plan = JobPlan(entries, POLICY)

    assert plan.broke_off(entries, uids(entries)) == []
    assert plan.next_batch() == entries
    assert plan.broke_off(entries, uids(entries)) == entries


def test_what_was_said_of_it_alone_is_not_asked_twice() -> None:
    entries = manifest(1)
    plan = JobPlan(entries, POLICY)

    assert plan.broke_off(entries, uids(entries), is_final=True) == entries
    assert plan.next_batch() == []


def test_it_gives_up_after_failures_in_a_row_that_brought_nothing() -> None:
    entries = manifest(9)
    plan = JobPlan(entries, POLICY)

    for expected in (1, 2):
        batch = plan.next_batch()
        plan.broke_off(batch, uids(batch))
        assert plan.wait_seconds == POLICY.wait_seconds(expected)
    plan.not_begun()

    assert plan.has_given_up
    assert plan.next_batch() == []
    assert uids(plan.take_all()) == uids(entries)


def test_a_job_that_brought_something_makes_up_for_those_before() -> None:
    entries = manifest(9)
    plan = JobPlan(entries, POLICY)
    plan.not_begun()
    plan.not_begun()

    plan.broke_off(entries, uids(entries[1:]))

    assert plan.wait_seconds == 0
    assert not plan.has_given_up


def test_jobs_do_not_go_on_for_ever() -> None:
    (first, *_) = manifest(1)
    entries = [replace(first, sop_instance_uid=f"2.25.{number}") for number in range(3 * MOST_JOBS)]
    plan = JobPlan(entries, POLICY)

    jobs = 0
    while batch := plan.next_batch():
        plan.broke_off(batch, uids(batch[1:]))
        jobs += 1

    assert jobs == MOST_JOBS
    assert plan.take_all()


def test_what_is_settled_otherwise_is_not_sent() -> None:
    entries = manifest(3)
    plan = JobPlan(entries, POLICY)
    plan.broke_off(entries, uids(entries))

    plan.settle(uids(entries[:1]))

    assert plan.waiting_uids() == uids(entries[1:])
