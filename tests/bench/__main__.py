"""Every measurement, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import listing, manifest, sending

if __name__ == "__main__":
    for measurement in (manifest, sending, listing):
        measurement.main()
        print()
