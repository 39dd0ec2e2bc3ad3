"""The connection test of a destination of any kind, with the other sides of the same archive: one for all who ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transfers.connections import Expectation, Report, describe, describe_accepted, describe_answers
from transfers.models import Destination
from transfers.passwords import PasswordUnreadable
from transfers.verification import Verification
from transfers.wire.connection_test import ConnectionReport
from transfers.wire.service_test import ServiceReport, test_endpoint


class Side(NamedTuple):
    """A destination, or another entry for the same archive, and what it said of itself."""

    destination: Destination
    report: Report
    expected: Expectation

    def describe_answers(self) -> list[str]:
        """Does it answer, and can it be asked afterwards?"""
        return list(describe_answers(self.report, self.expected))

    def describe_accepted(self) -> list[str]:
        """What it takes, or its plug-ins."""
        return list(describe_accepted(self.report))

    @property
    def breaks_its_word(self) -> bool:
        """Whether it does not offer the Storage Commitment that its settings promise."""
        report = self.report
        offers = isinstance(report, ConnectionReport) and report.can_be_asked_to_commit
        return report.is_ok and self.expected.commitment and not offers


class DestinationCheck(NamedTuple):
    """What came of it."""

    own: Side
    others: tuple[Side, ...]
    """Of the entries at which it is asked, too."""

    @property
    def is_ok(self) -> bool:
        """Whether it, and every side at which it is asked too, answered as it should."""
        return all(side.report.is_ok for side in (self.own, *self.others))

    @property
    def can_be_listed(self) -> bool:
        """Whether any side can be asked what it holds, and says the truth about it."""
        return any(_can_be_listed(side.report) for side in (self.own, *self.others))

    def describe(self) -> Iterator[str]:
        """All of it in plain words, line by line."""
        yield from describe(self.own.report, self.own.expected)
        for side in self.others:
            for line in side.describe_answers():
                yield f"{side.destination.name}: {line}"


def check_destination(destination: Destination) -> DestinationCheck:
    """Ask a destination, and the other sides of the same archive, over the network; nothing is sent or stored.

    Never raises for a fault of a destination, nor for a password that cannot be read: its report says so. It may take
    as long as the time-outs of all of them together.
    """
    sides = [_ask(side, destination) for side in (destination, *destination.ask_at.order_by("name"))]
    return DestinationCheck(sides[0], tuple(sides[1:]))


def _ask(side: Destination, of: Destination) -> Side:
    expected = Expectation(
        commitment=side == of and of.offers_commitment,
        content=side == of and Verification.parse(of.verify).compares_content,
    )
    try:
        return Side(side, test_endpoint(side.endpoint), expected)
    except PasswordUnreadable as error:
        return Side(side, ServiceReport(error_code="password_unreadable", error=str(error)), expected)


def _can_be_listed(report: Report) -> bool:
    says_yes_to_anything = isinstance(report, ServiceReport) and report.says_yes_to_anything
    return report.can_be_listed and not says_yes_to_anything
