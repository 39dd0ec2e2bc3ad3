"""Every registered method keeps the same promises, each sending to the same real Orthanc by its own protocol.

A method is tested here by being registered: `tests.routes` makes what it needs from what it says of itself.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest
from django.db import connection

from audit.entries import ManifestEntry, StudyManifest
from audit.models import Evidence
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.datasets import data_set_bytes, write_study
from tests.fakes.chaos import Deed, Fault, undisturbed
from tests.integration.transfers.conftest import dead
from tests.peers.orthanc import Orthanc
from tests.routes import Route, held
from tests.settings import TEST_DATABASE
from transfers import run, services
from transfers.errors import TransferError
from transfers.leases import this_process
from transfers.methods import METHODS, default_method
from transfers.methods.base import Checkpoint, Method, ReconnectPolicy, Seen, SendContext
from transfers.methods.options import WrongOption, check_options, parse_options, what_it_is
from transfers.models import Transfer
from transfers.queue import claim
from transfers.runner import run_transfer
from transfers.states import State

KEYS = sorted(METHODS)
POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=0.02, maximum_wait_seconds=0.1)
SUCCESS = frozenset({EvidenceKind.ACKNOWLEDGED, EvidenceKind.JOB_SUCCEEDED})
END = SUCCESS | {
    EvidenceKind.REFUSED,
    EvidenceKind.ANSWER_UNCLEAR,
    EvidenceKind.JOB_FAILED,
    EvidenceKind.NO_ANSWER,
    EvidenceKind.NOT_SENT,
}
"""What sending an instance may come to."""
NOT_OURS = ("tests.", "socketserver", "http.")
"""Modules whose threads are a peer's."""

MakeRoute = Callable[..., Route]


@dataclass
class Sent:
    """What one send brought."""

    entries: Sequence[ManifestEntry]
    observations: list[Observation] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        match seen:
            case Observation():
                self.observations.append(seen)
            case Occurrence():
                self.occurrences.append(seen)
            case Checkpoint():
                self.checkpoints.append(seen)

    def of(self, entry: ManifestEntry, *kinds: EvidenceKind) -> list[Observation]:
        seen = [each for each in self.observations if each.sop_instance_uid == entry.sop_instance_uid]
        return [each for each in seen if not kinds or each.kind in kinds]

    def end_of(self, entry: ManifestEntry) -> Observation:
        return self.of(entry, *END)[-1]

    @property
    def ends(self) -> list[EvidenceKind]:
        return [self.end_of(entry).kind for entry in self.entries]

    @property
    def codes(self) -> set[str]:
        return {self.end_of(entry).detail["code"] for entry in self.entries}


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def method(key: str) -> Method:
    return METHODS[key]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that lets nobody in without the password, and answers to its own AE title only."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {"DicomCheckCalledAet": True}
    with Orthanc(folder, ae_title="GUARDED", dicom_web=True, users={"us": "secret"}, settings=settings) as peer:
        yield peer


@pytest.fixture
def routes(key: str, web_orthanc: Orthanc, source_orthanc: Orthanc) -> Iterator[MakeRoute]:
    """Ways of the method, to a real Orthanc unless another one is named."""
    opened: list[Route] = []

    def make(destination: Orthanc = web_orthanc, source: Orthanc = source_orthanc, **more: Any) -> Route:
        opened.append(Route(key, destination, source, **more).__enter__())
        return opened[-1]

    yield make
    for route in opened:
        route.__exit__(None, None, None)


@pytest.fixture
def route(routes: MakeRoute) -> Route:
    return routes()


def context_of(route: Route, *, stop: Event | None = None, **options: Any) -> SendContext:
    return SendContext(route.endpoint, POLICY, options, stop or Event(), route.instance_source)


def our_threads() -> set[threading.Thread]:
    def module(thread: threading.Thread) -> str:
        target = getattr(thread, "_target", None)
        return str(target.__module__ if target else type(thread).__module__)

    return {thread for thread in threading.enumerate() if not module(thread).startswith(NOT_OURS)}


def send(route: Route, entries: Sequence[ManifestEntry], context: SendContext | None = None) -> Sent:
    """Send everything; what is promised of every send is asserted here."""
    before = our_threads()
    sent = Sent(entries)
    for seen in route.method.send(entries, context or context_of(route)):
        sent.add(seen)
    assert our_threads() <= before
    uids = {entry.sop_instance_uid for entry in entries}
    assert {each.sop_instance_uid for each in sent.observations} == uids
    for entry in entries:
        ends = sent.of(entry, *END)
        assert ends, f"nothing was said of what sending {entry.sop_instance_uid} came to"
        assert all(each.kind is EvidenceKind.NO_ANSWER for each in ends[:-1]), "what had its answer was sent again"
        assert not ends[-1].detail.get("will_be_sent_again")
    for each in sent.observations:
        if each.kind in {EvidenceKind.NOT_SENT, EvidenceKind.NO_ANSWER, EvidenceKind.JOB_FAILED}:
            assert each.detail["code"].isidentifier()
            assert each.detail["reason"].endswith((".", ")")) or " " in each.detail["reason"]
    return sent


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


# What a method says of itself


def test_every_kind_of_destination_has_a_default_method() -> None:
    for kind in ("dicom", "dicomweb", "orthanc"):
        assert kind in METHODS[default_method(kind, offers_commitment=False)].kinds
    assert METHODS[default_method("dicom", offers_commitment=True)].asks_commitment


def test_it_says_what_it_is(key: str, method: Method) -> None:
    assert method.key == key
    assert method.label
    assert method.sender_can_trust.endswith(".")
    assert method.kinds
    assert set(method.kinds) <= {"dicom", "dicomweb", "orthanc"}
    assert method.sources
    assert set(method.sources) <= {"files", "orthanc"}


def test_its_options_have_defaults_and_are_checked(method: Method) -> None:
    assert method.Options()
    for each in fields(method.Options):
        assert each.metadata["help"]
        assert what_it_is(each)
        with pytest.raises(WrongOption):
            check_options(method.Options, {each.name: [each.default]})
        with pytest.raises(WrongOption, match=each.name):
            parse_options(method.Options, [f"{each.name}=\n"])
    with pytest.raises(WrongOption):
        check_options(method.Options, {"nonsense": 1})


# What is sent, and what is said of it


@pytest.mark.parametrize(
    ("key", "source_kind"), [(key, source) for key in KEYS for source in METHODS[key].sources], indirect=["key"]
)
def test_what_is_sent_is_there_and_every_instance_was_answered(
    routes: MakeRoute, tmp_path: Path, source_kind: str
) -> None:
    paths = write_study(tmp_path, 4, 2, size_bytes=3000)
    route = routes(source_kind=source_kind)
    entries = route.entries(paths)
    sizes = {entry.sop_instance_uid: data_set_bytes(path) for entry, path in zip(entries, paths, strict=True)}

    preflight = route.method.preflight(entries, context_of(route))
    sent = send(route, entries)

    assert preflight.unsendable == {}
    assert set(sent.ends) <= SUCCESS
    assert held(route.destination, entries[0].study_instance_uid) == {uid: [is_] for uid, is_ in sizes.items()}
    if "files" not in route.method.sources:
        return
    for entry in entries:
        (seen,) = sent.of(entry, EvidenceKind.SENT)
        assert seen.detail["sha256"] == hashlib.sha256(sizes[entry.sop_instance_uid]).hexdigest()


def test_what_the_destination_drops_is_told_at_least_as_what_it_was_told(route: Route, tmp_path: Path) -> None:
    """Whether an answer shows it is the method's; that all of them were answered is not."""
    entries = route.entries(write_study(tmp_path, 5, size_bytes=200, patient_id="FILTERED"))

    sent = send(route, entries)

    assert set(sent.ends[:4]) <= SUCCESS
    assert sent.ends[4] in SUCCESS | {EvidenceKind.REFUSED, EvidenceKind.ANSWER_UNCLEAR}
    assert len(held(route.destination, entries[0].study_instance_uid)) == 4
    kinds = {each.kind for each in sent.observations}
    assert not kinds & {EvidenceKind.COMMITTED, EvidenceKind.PRESENT, EvidenceKind.IDENTICAL}


def test_of_nothing_nothing_is_said(route: Route) -> None:
    before = our_threads()

    assert [seen for seen in route.method.send([], context_of(route)) if seen is not None] == []

    assert our_threads() <= before


def test_it_is_all_the_same_once_more(route: Route, tmp_path: Path) -> None:
    """What is there already is answered again; nothing is there twice."""
    entries = route.entries(write_study(tmp_path, 2, size_bytes=200))
    send(route, entries)

    sent = send(route, entries)

    assert set(sent.ends) <= SUCCESS
    assert [len(each) for each in held(route.destination, entries[0].study_instance_uid).values()] == [1, 1]


# What keeps it from sending


def code_beforehand(route: Route, entries: Sequence[ManifestEntry]) -> str:
    """Why preflight says that nothing can be sent."""
    with pytest.raises(TransferError) as raised:
        route.method.preflight(entries, context_of(route))
    return raised.value.code


def test_with_nobody_there_nothing_is_sent(route: Route, tmp_path: Path) -> None:
    entries = route.entries(write_study(tmp_path, 3, size_bytes=200))
    route.unreachable()

    code = code_beforehand(route, entries)
    sent = send(route, entries)

    assert code in {"connection_failed", "service_unreachable"}
    assert set(sent.ends) == {EvidenceKind.NOT_SENT}
    assert sent.codes == {code}
    assert held(route.destination, entries[0].study_instance_uid) == {}


def test_with_wrong_credentials_nothing_is_sent(
    routes: MakeRoute, guarded: Orthanc, web_orthanc: Orthanc, tmp_path: Path
) -> None:
    """Of whoever has to let us in: the source, where it sends by itself. Where the answer to a request says so, that
    was sent."""
    open_route = routes()
    entries = open_route.entries(write_study(tmp_path, 3, size_bytes=200))
    route = routes(source=guarded) if open_route.takes_from_source else routes(guarded, ae_title="WRONG")

    code = code_beforehand(route, entries)
    sent = send(route, entries)

    assert code in {"association_rejected", "credentials_refused"}
    assert set(sent.ends) <= {EvidenceKind.NOT_SENT, EvidenceKind.NO_ANSWER}
    assert sent.codes == {code}
    assert held(web_orthanc, entries[0].study_instance_uid) == {}


def test_what_is_gone_from_where_it_was_is_not_sent(route: Route, tmp_path: Path) -> None:
    entries = route.entries(write_study(tmp_path, 3, size_bytes=200))
    route.remove(entries[1])

    sent = send(route, entries)

    assert sent.ends[1] is EvidenceKind.NOT_SENT
    assert {sent.ends[0], sent.ends[2]} <= SUCCESS
    uids = {entries[0].sop_instance_uid, entries[2].sop_instance_uid}
    assert held(route.destination, entries[0].study_instance_uid).keys() == uids


@pytest.mark.parametrize("change", ["cut", "grown", "rewritten"])
def test_a_file_that_changed_is_not_sent(route: Route, tmp_path: Path, change: str) -> None:
    if route.takes_from_source:
        pytest.skip("what an Orthanc holds it never changes")
    paths = write_study(tmp_path, 3, size_bytes=200)
    entries = route.entries(paths)
    content = paths[1].read_bytes()
    paths[1].write_bytes({"cut": content[:-40], "grown": content + b"\0" * 8, "rewritten": content}[change])

    sent = send(route, entries)

    assert sent.ends[1] is EvidenceKind.NOT_SENT
    assert sent.end_of(entries[1]).detail["code"].startswith("source_")
    assert {sent.ends[0], sent.ends[2]} <= SUCCESS
    assert entries[1].sop_instance_uid not in held(route.destination, entries[0].study_instance_uid)


# How it ends


def stalled(routes: MakeRoute, tmp_path: Path, *, after_bytes: int = 4000) -> tuple[Route, list[ManifestEntry]]:
    """A way on which every connection with the destination stalls in the midst of an instance."""
    route = routes()
    entries = route.entries(write_study(tmp_path, 4, size_bytes=60_000))
    route.chaos.plan = lambda _: Fault(Deed.STALL, after_bytes)
    return route, entries


def graces() -> list[ModuleType]:
    """Modules that say how long a stopped send waits for what is under way."""
    return [
        module
        for name, module in sys.modules.items()
        if name.startswith("transfers.methods.") and hasattr(module, "GRACE_SECONDS")
    ]


def test_a_stopped_send_waits_for_two_seconds_at_most() -> None:
    assert graces()
    assert all(module.GRACE_SECONDS <= 2 for module in graces())


def test_a_stop_ends_it_soon_and_every_instance_is_told_of(
    routes: MakeRoute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in graces():
        monkeypatch.setattr(module, "GRACE_SECONDS", 0.3)
    route, entries = stalled(routes, tmp_path)
    stop = Event()
    before = our_threads()
    sent = Sent(entries)
    stopped_at = 0.0

    for seen in route.method.send(entries, context_of(route, stop=stop)):
        sent.add(seen)
        if route.chaos.done and not stop.is_set():
            stop.set()
            stopped_at = time.monotonic()

    assert stopped_at
    assert time.monotonic() - stopped_at < 2
    assert our_threads() <= before
    assert set(sent.ends) <= {EvidenceKind.NOT_SENT, EvidenceKind.NO_ANSWER, EvidenceKind.JOB_FAILED}
    route.chaos.plan = undisturbed


def test_it_hands_on_while_nothing_happens_and_leaves_nothing_behind_once_closed(
    routes: MakeRoute, tmp_path: Path
) -> None:
    route, entries = stalled(routes, tmp_path)
    before = our_threads()
    sending = route.method.send(entries, context_of(route))
    while not route.chaos.done:
        next(sending)

    with within(3):
        while [next(sending) for _ in range(3)] != [None] * 3:
            pass
    with within(3):
        sending.close()  # type: ignore[attr-defined]

    assert our_threads() <= before


def test_nothing_is_begun_where_it_was_stopped_before(route: Route, tmp_path: Path) -> None:
    entries = route.entries(write_study(tmp_path, 2, size_bytes=200))
    stop = Event()
    stop.set()

    with within(3):
        sent = send(route, entries, context_of(route, stop=stop))

    assert set(sent.ends) == {EvidenceKind.NOT_SENT}
    assert sent.codes == {"stopped"}


@pytest.mark.parametrize(("deed", "is_in_answers"), [(Deed.CUT, False), (Deed.RESET, True)], ids=["request", "answer"])
def test_what_was_lost_on_the_way_is_sent_again_or_has_no_answer(
    routes: MakeRoute, tmp_path: Path, deed: Deed, is_in_answers: bool
) -> None:
    route = routes()
    entries = route.entries(write_study(tmp_path, 3, size_bytes=20_000))
    fault = Fault(deed, 200 if is_in_answers else 12_000, is_in_answers)
    route.chaos.plan = lambda _: None if route.chaos.done else fault

    sent = send(route, entries)

    there = held(route.destination, entries[0].study_instance_uid)
    assert route.chaos.done
    for entry, end in zip(entries, sent.ends, strict=True):
        assert end not in SUCCESS or entry.sop_instance_uid in there
        assert end is not EvidenceKind.NOT_SENT or entry.sop_instance_uid not in there


# What the runner makes of it


class Killed(BaseException):
    """The process ends here: nothing after it is written down."""


@dataclass
class Dying:
    """A method whose process is killed after it has yielded so many times; a source's job goes on by itself."""

    method: Method
    yields: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Iterator[Seen]:
        for number, seen in enumerate(self._seen(entries, context), 1):
            yield seen
            if number == self.yields:
                raise Killed

    def _seen(self, entries: Sequence[ManifestEntry], context: SendContext) -> Iterator[Seen]:
        return (seen for seen in self.method.send(entries, context) if seen is not None)


@pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="what is saved of a method is tested on PostgreSQL elsewhere")
@pytest.mark.django_db(transaction=True)
def test_what_was_killed_between_two_yields_is_taken_up_and_sends_nothing_twice(
    route: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RECONNECT", POLICY)
    entries = route.entries(write_study(tmp_path, 6, size_bytes=2000))
    transfer = transfer_of(route, entries)
    method = route.method

    monkeypatch.setitem(METHODS, route.key, Dying(method, yields=3))
    with pytest.raises(Killed):
        run_transfer(transfer)
    monkeypatch.setitem(METHODS, route.key, method)
    Transfer.objects.update(state=State.SENDING, worker=dead())
    answered = set(Evidence.objects.filter(kind__in=SUCCESS).values_list("instance__sop_instance_uid", flat=True))
    transfer.refresh_from_db()
    connection.close()
    claim(transfer, "another")
    run_transfer(transfer)

    transfer.refresh_from_db()
    assert transfer.verdict == "committed"
    assert len(held(route.destination, entries[0].study_instance_uid)) == 6
    again = Evidence.objects.filter(kind__in=SUCCESS, instance__sop_instance_uid__in=answered)
    assert again.count() == len(answered)


def transfer_of(route: Route, entries: Sequence[ManifestEntry]) -> Transfer:
    """Claimed by this process."""
    transfer = services.create_transfer(
        StudyManifest(entries[0].study_instance_uid, tuple(entries)),
        destination=route.saved_destination(),
        method=route.key,
        verify="presence",
        worker=this_process(),
    )
    transfer.asks_commitment, transfer.source = False, route.saved_source()
    transfer.save(update_fields=["asks_commitment", "source"])
    return transfer
