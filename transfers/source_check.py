"""The connection test of a source, for all who ask: does it let us in, and can its studies be searched?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transfers.connections import describe_service
from transfers.models import Source
from transfers.passwords import PasswordUnreadable
from transfers.wire.service_test import ServiceReport, test_service


class SourceCheck(NamedTuple):
    """What came of it."""

    report: ServiceReport

    @property
    def is_ok(self) -> bool:
        """Whether it let us in and can be searched."""
        return self.report.is_ok and self.report.can_be_listed

    def describe(self) -> Iterator[str]:
        """In plain words, line by line."""
        report = self.report
        yield from describe_service(report)
        if report.can_be_listed:
            yield "Its studies can be searched, and sent from here."
        elif report.is_reachable:
            yield "Its studies cannot be searched."
        if report.plugins:
            yield f"Its plug-ins: {', '.join(report.plugins)}."


def check_source(source: Source) -> SourceCheck:
    """Ask a source over the network; nothing is taken from it. Never raises for a fault of it: the report says so."""
    try:
        return SourceCheck(test_service(source.endpoint))
    except PasswordUnreadable as error:
        return SourceCheck(ServiceReport(error_code="password_unreadable", error=str(error)))
