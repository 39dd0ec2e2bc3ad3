"""The QIDO-RS and Orthanc probes where the service fails, in every way in which HTTP services do."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from threading import Event, Timer

import pytest

from audit.observations import Observation, Occurrence
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Answer, Asked, Reply, Web
from tests.fakes.web_archives import always, at_first, orthanc, qido
from tests.integration.transfers.probes.asking import (
    ABSENT,
    FAILED,
    PRESENT,
    SETTLE_SECONDS,
    Study,
    Verified,
    kinds,
    names,
    uids,
)
from transfers.endpoints import DicomWebEndpoint, OrthancEndpoint, Timeouts
from transfers.probes import PROBES
from transfers.probes.base import ProbeContext

KEYS = ["qido-rs", "orthanc"]
ENDPOINTS: dict[str, type[DicomWebEndpoint] | type[OrthancEndpoint]] = {
    "qido-rs": DicomWebEndpoint,
    "orthanc": OrthancEndpoint,
}
HOLDING = {"qido-rs": qido, "orthanc": orthanc}
LOGIN = Reply(body=b"<html><form action='/login'>", content_type="text/html")


def context_of(key: str, service: Web, sent: Study, retry_seconds: float = 0.0) -> ProbeContext:
    timeouts = Timeouts(connect_seconds=2, dimse_seconds=0.3)
    return ProbeContext(
        ENDPOINTS[key](service.url, timeouts=timeouts),
        settle_seconds=SETTLE_SECONDS,
        retry_seconds=retry_seconds,
        preflight_retry_seconds=retry_seconds,
        may_settle=uids(sent),
    )


def verify(key: str, entries: Study, context: ProbeContext) -> Verified:
    seen = list(PROBES[key].verify(entries, context))
    observations = {each.sop_instance_uid: each for each in seen if isinstance(each, Observation)}
    return observations, [each for each in seen if isinstance(each, Occurrence)]


def codes(verified: Verified) -> set[str]:
    return {each.detail.get("code", "") for each in verified[0].values()}


@pytest.mark.parametrize("key", KEYS)
def test_a_scripted_service_that_is_right_is_believed(web: MakeWeb, study: Study, key: str) -> None:
    service = web(HOLDING[key](study[:5]))

    observations, occurrences = verify(key, study, context_of(key, service, study))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]
    assert names(occurrences)[:3] == ["probe_started", "session_opened", "list_finished"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401), "credentials_refused"),
        (Reply(403), "credentials_refused"),
        (Reply(404), "resource_not_found"),
        (Reply(500), "service_failed"),
        (Reply(503), "service_busy"),
        (Reply(302, headers={"Location": "https://elsewhere.example/login"}), "redirect_refused"),
        (LOGIN, "not_the_service"),
        (Reply(body=b'[{"00080018":'), "malformed_answer"),
        (Reply(body=b"[]   ", cut_after=1), "answer_cut"),
        (Reply(body=b"[" + b" " * 9999, seconds_a_byte=0.05), "request_timed_out"),
        (Reply(is_dropped=True), "answer_cut"),
    ],
    ids=["401", "403", "404", "500", "503", "redirect", "login", "no-json", "cut", "slow", "dropped"],
)
@pytest.mark.parametrize("key", KEYS)
def test_a_service_that_fails_throughout_proves_nothing(
    web: MakeWeb, study: Study, key: str, reply: Reply, code: str
) -> None:
    verified = verify(key, study, context_of(key, web(always(reply)), study))

    assert kinds(study, verified[0]) == [FAILED] * 6
    assert codes(verified) == {code}


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(503), Reply(502), Reply(is_dropped=True), Reply(body=b"[{", cut_after=1), Reply(body=b"[{")],
    ids=["500", "503", "502", "dropped", "cut", "no-json"],
)
@pytest.mark.parametrize("key", KEYS)
def test_what_failed_and_may_pass_is_asked_again(web: MakeWeb, study: Study, key: str, reply: Reply) -> None:
    service = web(at_first([reply, reply], HOLDING[key](study)))

    observations, _ = verify(key, study, context_of(key, service, study, retry_seconds=10))

    assert kinds(study, observations) == [PRESENT] * 6


@pytest.mark.parametrize("key", KEYS)
def test_preflight_asks_again_too(web: MakeWeb, study: Study, key: str) -> None:
    service = web(at_first([Reply(500)], HOLDING[key](study[:2])))

    listing = PROBES[key].list_present(study, context_of(key, service, study, retry_seconds=10))

    assert (listing.present, listing.unknown) == (uids(study[:2]), frozenset())


@pytest.mark.parametrize("reply", [Reply(401), LOGIN], ids=["401", "login"])
@pytest.mark.parametrize("key", KEYS)
def test_who_is_not_let_in_does_not_knock_again(web: MakeWeb, study: Study, key: str, reply: Reply) -> None:
    service = web(always(reply))

    verify(key, study, context_of(key, service, study, retry_seconds=30))

    assert len(service.asked) == 1


@pytest.mark.parametrize(("key", "requests_of_a_list"), [("qido-rs", 2), ("orthanc", 4)])
def test_a_service_that_goes_away_in_the_middle_leaves_the_rest_open(
    web: MakeWeb, study: Study, key: str, requests_of_a_list: int
) -> None:
    right = HOLDING[key](study)
    numbers = count()

    def answer(asked: Asked) -> Reply:
        return right(asked) if next(numbers) < requests_of_a_list else Reply(is_dropped=True)

    observations, occurrences = verify(key, study, context_of(key, web(answer), study))

    assert kinds(study, observations) == [PRESENT, FAILED] * 3
    assert "session_lost" in names(occurrences)


@pytest.mark.parametrize("key", KEYS)
def test_a_stop_ends_it_soon(web: MakeWeb, study: Study, key: str) -> None:
    stop = Event()
    service = web(always(Reply(body=b"[" + b" " * 9999, seconds_a_byte=0.05)))
    context = context_of(key, service, study)
    endpoint = replace(context.endpoint, timeouts=Timeouts(dimse_seconds=60))
    timer = Timer(0.3, stop.set)
    timer.start()

    verified = verify(key, study, replace(context, endpoint=endpoint, stop=stop))

    timer.join()
    assert kinds(study, verified[0]) == [FAILED] * 6
    assert codes(verified) == {"stopped"}


# Lists that end well and are wrong


def ends_in_the_middle(asked: Asked, rows: list[object]) -> list[object]:
    """Whatever is asked, no more than two rows."""
    return rows if "SOPInstanceUID" in asked.query else rows[:2]


def test_a_list_that_leaves_something_out_refutes_nothing(web: MakeWeb, study: Study) -> None:
    service = web(qido(study, quirk=ends_in_the_middle))

    observations, _ = verify("qido-rs", study, context_of("qido-rs", service, study))

    assert kinds(study, observations) == [PRESENT] * 6
    assert observations[study[4].sop_instance_uid].detail["reason"] == "Not listed, but found by asking for it"


def test_orthanc_has_to_list_as_many_as_it_counts(web: MakeWeb, study: Study) -> None:
    service = web(orthanc(study, quirk=lambda _, rows: rows[:2]))

    observations, occurrences = verify("orthanc", study, context_of("orthanc", service, study))

    assert kinds(study, observations) == [PRESENT] * 6
    assert "list_failed" in names(occurrences)


def test_a_capped_page_is_not_the_end(web: MakeWeb, study: Study) -> None:
    service = web(qido(study, largest_page=1))

    observations, _ = verify("qido-rs", study, context_of("qido-rs", service, study))

    assert kinds(study, observations) == [PRESENT] * 6
    assert {each.detail["reason"] for each in observations.values()} == {"Listed"}


def test_who_answers_the_same_page_again_and_again_denies_nothing(web: MakeWeb, study: Study) -> None:
    service = web(qido(study, largest_page=1, ignores_offset=True, quirk=lambda _, rows: rows[:1]))

    observations, _ = verify("qido-rs", study[:4:2], context_of("qido-rs", service, study))

    assert kinds(study[:4:2], observations) == [PRESENT, PRESENT]
    assert ABSENT not in kinds(study[:4:2], observations)


def invents(entries: Study) -> Answer:
    """Names everything that it is asked for, under the place that it is asked for."""
    right = qido(entries)

    def answer(asked: Asked) -> Reply:
        if uid := asked.query.get("SOPInstanceUID"):
            place = asked.path.strip("/").split("/")
            made_up = replace(
                entries[0], sop_instance_uid=uid, study_instance_uid=place[1], series_instance_uid=place[3]
            )
            return qido([made_up])(asked)
        return right(asked)

    return answer


def test_a_service_that_says_yes_to_anything_proves_nothing(web: MakeWeb, study: Study) -> None:
    verified = verify("qido-rs", study, context_of("qido-rs", web(invents(study)), study))

    assert kinds(study, verified[0]) == [FAILED] * 6
    assert codes(verified) == {"invents"}


def without_place(asked: Asked, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{tag: value for tag, value in row.items() if not tag.startswith("0020")} for row in rows]


def test_a_service_that_ignores_includefield_is_believed_where_it_looks_at_what_it_is_asked(
    web: MakeWeb, study: Study
) -> None:
    service = web(qido(study[:5], quirk=without_place))

    observations, _ = verify("qido-rs", study, context_of("qido-rs", service, study))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]


def test_rows_without_a_place_prove_nothing_where_the_service_answers_everything_with_all_it_has(
    web: MakeWeb, study: Study
) -> None:
    elsewhere = [replace(each, study_instance_uid="2.25.8", series_instance_uid="2.25.9") for each in study]
    everything = qido(elsewhere, quirk=without_place)
    service = web(lambda asked: everything(replace(asked, path="/instances", query={"offset": asked.query["offset"]})))

    verified = verify("qido-rs", study, context_of("qido-rs", service, study))

    assert kinds(study, verified[0]) == [FAILED] * 6


def test_a_service_that_does_not_match_uids_denies_none(web: MakeWeb, study: Study) -> None:
    right = qido(study[:5])

    def ignores_the_instance(asked: Asked) -> Reply:
        query = {name: value for name, value in asked.query.items() if name != "SOPInstanceUID"}
        return right(replace(asked, query=query)) if not asked.path.endswith("series") else Reply(404)

    verified = verify("qido-rs", study, context_of("qido-rs", web(ignores_the_instance), study))

    assert kinds(study, verified[0]) == [PRESENT] * 5 + [FAILED]
    assert verified[0][study[5].sop_instance_uid].detail["code"] == "not_matched"


@pytest.mark.parametrize("uid", ["1.2/../3", "1.2%2f3"])
def test_a_uid_that_must_not_be_in_a_path_is_left_open(web: MakeWeb, study: Study, uid: str) -> None:
    odd = [replace(study[0], series_instance_uid=uid)]
    service = web(qido(odd))

    verified = verify("qido-rs", odd, context_of("qido-rs", service, odd))

    assert codes(verified) == {"request_refused"}
    assert service.asked == []
