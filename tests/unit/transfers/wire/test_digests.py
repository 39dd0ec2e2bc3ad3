"""The SHA-256 taken beside the sending thread is that of what was added, in that order."""

from __future__ import annotations

import hashlib
import threading

from hypothesis import given
from hypothesis import strategies as st

from transfers.wire.digests import WORTH_A_THREAD, Digest, Digester


@given(st.lists(st.sampled_from([0, 1, 100, WORTH_A_THREAD - 1, WORTH_A_THREAD, WORTH_A_THREAD * 3]), max_size=5))
def test_parts_of_any_size_make_the_digest_of_the_whole(sizes: list[int]) -> None:
    digester = Digester()
    digest = Digest(digester)
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]

    for part in parts:
        digest.add(memoryview(part))

    assert digest.hexdigest() == hashlib.sha256(b"".join(parts)).hexdigest()
    digester.close()


def test_two_digests_under_way_do_not_mix() -> None:
    digester = Digester()
    first, second = Digest(digester), Digest(digester)
    content = bytes(WORTH_A_THREAD)

    for digest in (first, second, first):
        digest.add(memoryview(content))

    assert second.hexdigest() == hashlib.sha256(content).hexdigest()
    assert first.hexdigest() == hashlib.sha256(content * 2).hexdigest()
    digester.close()


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    digester = Digester()
    Digest(digester).add(memoryview(bytes(WORTH_A_THREAD)))

    digester.close()

    assert set(threading.enumerate()) <= before
