"""Every measurement, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import listing, manifest, pages, sending, watching

if __name__ == "__main__":
    for measurement in (manifest, sending, listing, pages, watching):
        measurement.main()
        print()
