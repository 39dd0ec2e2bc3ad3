"""A connection report in words, for the terminal and the admin site."""

from __future__ import annotations
