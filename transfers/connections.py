"""A connection report in plain words, for the terminal, the pages, the API and the admin site. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from pydicom.uid import UID

from transfers.wire.connection_test import ConnectionReport
from transfers.wire.service_test import ServiceReport

Report = ConnectionReport | ServiceReport


class Expectation(NamedTuple):
    """What is to be asked of a destination, by its settings."""

    commitment: bool = False
    content: bool = False


NOTHING_EXPECTED = Expectation()


def describe(report: Report, expected: Expectation = NOTHING_EXPECTED) -> Iterator[str]:
    """What matters first: does it answer, can it be asked afterwards, what does it take."""
    yield from describe_answers(report, expected)
    yield from describe_accepted(report)


def describe_answers(report: Report, expected: Expectation = NOTHING_EXPECTED) -> Iterator[str]:
    """Does it answer, and can it be asked afterwards?"""
    if isinstance(report, ServiceReport):
        yield from _of_service(report)
    else:
        yield from _of_application_entity(report, expected)


def describe_service(report: ServiceReport) -> Iterator[str]:
    """Does it answer, and what is it?"""
    if report.is_ok:
        yield f"It answered in {report.seconds * 1000:,.0f} ms, and lets us in."
    if report.error:
        yield report.error
    if report.name:
        yield f"It calls itself {report.name}."


def _of_service(report: ServiceReport) -> Iterator[str]:
    yield from describe_service(report)
    if report.says_yes_to_anything:
        yield "It says that it holds a study made up a moment ago: nothing that it lists proves anything."
    elif report.can_be_listed:
        yield "It can be asked what it holds: what arrived can be verified by presence."
    elif report.is_reachable:
        yield "It does not let us ask what it holds: what arrived cannot be verified by presence."
    if report.tells_changes:
        yield "It lets us read its log of changes: a StableStudy event that comes too early is seen."


def _of_application_entity(report: ConnectionReport, expected: Expectation) -> Iterator[str]:
    if report.is_ok:
        yield f"C-ECHO answered with success in {report.seconds * 1000:,.0f} ms."
    elif report.echo_status_code is not None:
        yield f"C-ECHO answered with status 0x{report.echo_status_code:04X}."
    if report.error:
        yield report.error
    if not report.is_reachable:
        return
    if report.implementation_version_name:
        yield f"It calls itself {report.implementation_version_name}."
    yield (
        "It offers Study Root C-FIND: what arrived can be verified by presence."
        if report.can_be_listed
        else "It does not offer Study Root C-FIND: what arrived cannot be verified by presence."
    )
    if report.can_be_read_back:
        yield "It offers Study Root C-GET: what arrived can be read back and compared."
    elif expected.content:
        yield "It does not offer Study Root C-GET: what arrived cannot be read back from here and compared."
    if report.can_be_asked_to_commit:
        yield "It takes requests for Storage Commitment; whether its reports reach our listener shows with the first."
    elif expected.commitment:
        yield "It takes no requests for Storage Commitment, though its settings say that it does."


def describe_accepted(report: Report) -> Iterator[str]:
    """The storage SOP classes that it takes, those with the same transfer syntaxes on one line; or its plug-ins."""
    if isinstance(report, ServiceReport):
        if report.plugins:
            yield f"Its plug-ins: {', '.join(report.plugins)}"
        return
    if not report.is_reachable:
        return
    if not report.accepted:
        yield "It accepts no storage SOP class."
        return
    classes: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for sop_class, syntaxes in report.accepted.items():
        classes[syntaxes].append(UID(sop_class).name)
    yield f"It accepts {len(report.accepted)} storage SOP classes:"
    for syntaxes, names in sorted(classes.items(), key=lambda item: -len(item[1])):
        yield f"{', '.join(UID(syntax).name for syntax in syntaxes)}: {', '.join(sorted(names))}"
