"""Every measurement, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import (
    content,
    content_verification,
    judging,
    ledger,
    listing,
    manifest,
    methods,
    pages,
    presence,
    sending,
    watching,
)

if __name__ == "__main__":
    for measurement in (
        manifest,
        sending,
        methods,
        listing,
        presence,
        content,
        content_verification,
        judging,
        ledger,
        pages,
        watching,
    ):
        measurement.main()
        print()
