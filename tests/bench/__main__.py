"""Every measurement, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import content_verification, listing, manifest, pages, presence, sending, watching

if __name__ == "__main__":
    for measurement in (manifest, sending, listing, presence, content_verification, pages, watching):
        measurement.main()
        print()
