"""A connection report in words, for the terminal and the admin site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from transfers.wire.connection_test import ConnectionReport
