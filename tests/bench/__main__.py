"""Every measurement, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import listing, manifest, pages, presence, sending, watching

if __name__ == "__main__":
    for measurement in (manifest, sending, listing, presence, pages, watching):
        measurement.main()
        print()
