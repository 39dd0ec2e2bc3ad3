"""The product's settings with a data folder of their own, and the database that TALLYMAN_TEST_DATABASE names."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

DATA_FOLDER = Path(tempfile.mkdtemp(prefix="tallyman-tests-"))
atexit.register(shutil.rmtree, DATA_FOLDER, ignore_errors=True)

TEST_DATABASE = os.environ.get("TALLYMAN_TEST_DATABASE", "sqlite")

# What the person running the tests has set for the product must not reach into them, nor into the processes they start.
for name in (
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DICOM_AE_TITLE"),
    *("IMPORT_ROOTS", "WORKER_CONCURRENCY", "UPLOAD_QUOTA_GB", "DICOM_PORT", "LISTENER_HOST", "LISTENER_LENIENT"),
    *("LISTENER_TLS_CERTIFICATE", "LISTENER_TLS_KEY", "LISTENER_TLS_CA"),
):
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)
os.environ["TALLYMAN_DATA_DIR"] = str(DATA_FOLDER)

from project import databases  # noqa: E402
from project.settings import *  # noqa: E402, F403

LISTENER_HOST = "127.0.0.1"
SECRET_KEY = "signs nothing that leaves the tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if TEST_DATABASE == "postgresql":
    # Host, port and user are those of a cluster that tests/conftest.py starts for the run.
    DATABASES = {"default": databases.from_url("postgresql:///tallyman")}
else:
    # A file, as in production: threads that share an in-memory database know neither WAL nor waiting.
    DATABASES = {"default": databases.sqlite(DATA_FOLDER / "tallyman.sqlite3")}
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_FOLDER / "test.sqlite3")}
