"""The speed that is told."""

from __future__ import annotations

import pytest

from transfers.live.rates import Rate


def rate(*samples: tuple[float, int]) -> Rate:
    """From moments and numbers of instances, of a kilobyte each."""
    made = Rate()
    for at, instances in samples:
        made.add(at, instances, instances * 1_000)
    return made


def test_nothing_is_said_of_the_first_moments() -> None:
    assert rate().per_second() == (0, 0)
    assert rate((10, 5)).per_second() == (0, 0)
    assert rate((10, 0), (10.3, 500)).per_second() == (0, 0)


def test_an_even_pace_is_told_as_it_is() -> None:
    even = rate(*((second, second * 100) for second in range(60)))

    assert even.per_second() == pytest.approx((100, 100_000))


def test_a_burst_is_spread_over_the_last_seconds() -> None:
    bursts = rate(*((tenth / 10, tenth // 10 * 100) for tenth in range(101)))

    assert bursts.per_second()[0] == pytest.approx(100, rel=0.05)


def test_who_stands_still_is_told_to_stand_still_five_seconds_later() -> None:
    stalled = [(second / 2, min(second, 20) * 50) for second in range(42)]

    assert rate(*stalled[:21]).per_second()[0] == pytest.approx(100)
    assert rate(*stalled[:31]).per_second()[0] == pytest.approx(0)


def test_whoever_comes_late_is_told_the_pace_since_the_beginning() -> None:
    assert rate((100, 0), (200, 5_000)).per_second() == pytest.approx((50, 50_000))
