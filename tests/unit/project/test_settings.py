"""The settings, read from one environment or another."""

from __future__ import annotations

import runpy
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import settings as module

Read = Callable[..., dict[str, Any]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Read:
    """Reads the settings anew, in an environment with these variables; the data folder is `data`."""

    def read(**environment: str) -> dict[str, Any]:
        for name, value in {"TALLYMAN_DATA_DIR": str(tmp_path / "data"), **environment}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(module.__file__)

    return read


def test_everything_has_a_default_that_serves_this_machine_only(read: Read) -> None:
    settings = read()

    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["DICOM_AE_TITLE"] == "TALLYMAN"
    assert settings["DEBUG"] is False


def test_empty_variables_count_as_unset(read: Read) -> None:
    settings = read(SECRET_KEY="", DATABASE_URL="", ALLOWED_HOSTS="", DICOM_AE_TITLE="")

    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["DICOM_AE_TITLE"] == "TALLYMAN"
    assert settings["DATABASES"]["default"]["ENGINE"] == "django.db.backends.sqlite3"
    assert len(settings["SECRET_KEY"]) >= 50


def test_the_data_folder_is_made_for_its_owner_only(read: Read, tmp_path: Path) -> None:
    read(TALLYMAN_DATA_DIR=str(tmp_path / "srv" / "tallyman"))

    assert stat.S_IMODE((tmp_path / "srv" / "tallyman").stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_made_is_named(read: Read, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ImproperlyConfigured, match="TALLYMAN_DATA_DIR"):
        read(TALLYMAN_DATA_DIR=str(tmp_path / "file" / "data"))


def test_the_secret_key_of_the_data_folder_is_used_until_one_is_given(read: Read) -> None:
    made = read()["SECRET_KEY"]

    assert read()["SECRET_KEY"] == made
    assert read(SECRET_KEY="$given").get("SECRET_KEY") == "$given"


def test_secrets_are_read_from_files_without_the_newline(read: Read, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    (tmp_path / "url").write_text("postgresql://tally:secret@db.example/transfers\n")

    settings = read(SECRET_KEY_FILE=str(tmp_path / "key"), DATABASE_URL_FILE=str(tmp_path / "url"))

    assert settings["SECRET_KEY"] == "from a file"
    assert settings["DATABASES"]["default"]["NAME"] == "transfers"


def test_a_secret_file_that_cannot_be_read_is_named(read: Read, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FILE"):
        read(SECRET_KEY_FILE=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("title", ["SEVENTEEN LETTERS", "BACK\\SLASH", "ÜBER"])
def test_an_ae_title_that_dicom_does_not_allow_is_refused(read: Read, title: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DICOM_AE_TITLE"):
        read(DICOM_AE_TITLE=title)


@pytest.mark.parametrize(
    ("origins", "secure"),
    [
        pytest.param("", False, id="http-on-this-machine"),
        pytest.param("https://tallyman.example", True, id="https"),
        pytest.param("https://tallyman.example,http://tallyman.example", False, id="both"),
    ],
)
def test_cookies_are_kept_to_https_where_the_site_is_served_by_https(read: Read, origins: str, secure: bool) -> None:
    settings = read(CSRF_TRUSTED_ORIGINS=origins)

    assert (settings["SESSION_COOKIE_SECURE"], settings["CSRF_COOKIE_SECURE"]) == (secure, secure)


# The worker, uploads and imports


def test_without_redis_everything_is_in_one_process(read: Read) -> None:
    assert read(REDIS_URL="")["CHANNEL_LAYERS"]["default"]["BACKEND"] == "channels.layers.InMemoryChannelLayer"


def test_redis_is_taken_from_a_file_too(read: Read, tmp_path: Path) -> None:
    (tmp_path / "redis_url").write_text("redis://:secret@127.0.0.1:6379/1\n")

    layer = read(REDIS_URL_FILE=str(tmp_path / "redis_url"))["CHANNEL_LAYERS"]["default"]

    assert [host["address"] for host in layer["CONFIG"]["hosts"]] == ["redis://:secret@127.0.0.1:6379/1"]


def test_another_kind_of_layer_is_refused_without_telling_its_password(read: Read) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must begin with redis://") as refused:
        read(REDIS_URL="amqp://user:secret@host")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["0", "65", "three", "-1", "1.5", "²"])
def test_a_wrong_number_of_side_by_side_transfers_is_named(read: Read, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="WORKER_CONCURRENCY must be a whole number from 1 to 64"):
        read(WORKER_CONCURRENCY=value)


@pytest.mark.parametrize(("text", "is_lenient"), [("", False), ("no", False), ("0", False), ("Yes", True), ("1", True)])
def test_the_listener_is_lenient_only_where_it_is_said(read: Read, text: str, is_lenient: bool) -> None:
    assert read(LISTENER_LENIENT=text)["LISTENER_LENIENT"] is is_lenient


def test_what_is_neither_yes_nor_no_is_named(read: Read) -> None:
    with pytest.raises(ImproperlyConfigured, match="LISTENER_LENIENT must be yes or no"):
        read(LISTENER_LENIENT="perhaps")


@pytest.mark.parametrize("name", ["LISTENER_TLS_KEY", "LISTENER_TLS_CA"])
def test_a_listener_that_should_speak_tls_does_not_speak_without(read: Read, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="LISTENER_TLS_CERTIFICATE is missing"):
        read(**{name: "/etc/tallyman/file.pem"})


def test_import_roots_are_real_paths(read: Read, tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "studies")

    assert read(IMPORT_ROOTS=f"{tmp_path}/link,{tmp_path}/later")["IMPORT_ROOTS"] == [
        str(tmp_path / "studies"),
        str(tmp_path / "later"),
    ]


def test_the_quota_is_in_gigabytes(read: Read) -> None:
    assert read(UPLOAD_QUOTA_GB="2")["UPLOAD_QUOTA_BYTES"] == 2_000_000_000


def test_what_is_being_received_lies_in_the_data_folder(read: Read, tmp_path: Path) -> None:
    folder = Path(read()["FILE_UPLOAD_TEMP_DIR"])

    assert folder == tmp_path / "data" / "temporary"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
