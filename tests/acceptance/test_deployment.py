"""`manage.py check --deploy`, as a person runs it before going live."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"DJANGO_SETTINGS_MODULE": "project.settings", "TALLYMAN_DATA_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=os.environ | own | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="this-machine-only"),
        pytest.param(
            {"ALLOWED_HOSTS": "tallyman.example", "CSRF_TRUSTED_ORIGINS": "https://tallyman.example"}, id="https"
        ),
    ],
)
def test_the_check_before_going_live_finds_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    checked = check(tmp_path, **environment)

    assert checked.returncode == 0, checked.stderr


def test_serving_a_network_over_plain_http_is_warned_of(tmp_path: Path) -> None:
    checked = check(tmp_path, ALLOWED_HOSTS="tallyman.example")

    assert checked.returncode == 1
    assert "SESSION_COOKIE_SECURE" in checked.stderr
