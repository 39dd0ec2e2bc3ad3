"""Django's settings, and the only reader of the environment; the README lists every variable."""

from __future__ import annotations

import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from project import databases, logging, secret_key
from transfers.endpoints import validate_ae_title

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


def secret(name: str) -> str:
    """The value of the variable, or the content of the file that the variable's name with _FILE gives; else nothing."""
    path = env.str(f"{name}_FILE", default="")
    if not path:
        return str(env.ENVIRON.get(name, ""))  # as it is: env.str would take a leading $ for a reference
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error


def data_folder() -> Path:
    """Where everything that must survive a restart lives; made for its owner only when it is not there yet."""
    folder = Path(env.str("TALLYMAN_DATA_DIR", default="") or BASE_DIR / "var").expanduser().resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"The data folder (TALLYMAN_DATA_DIR) cannot be made: {error}") from error
    return folder


def own_ae_title() -> str:
    """The AE title that Tallyman calls itself by where a destination says nothing else."""
    try:
        return validate_ae_title(env.str("DICOM_AE_TITLE", default="") or "TALLYMAN")
    except ValueError as error:
        raise ImproperlyConfigured(f"DICOM_AE_TITLE: {error}") from error


DATA_DIR = data_folder()
DICOM_AE_TITLE = own_ae_title()

DATABASES = {"default": databases.chosen(secret("DATABASE_URL"), DATA_DIR)}

SECRET_KEY = secret("SECRET_KEY") or secret_key.load_or_create(DATA_DIR / "secret_key")
DEBUG = False

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or LOOPBACK_HOSTS
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Behind a web server that speaks https, CSRF_TRUSTED_ORIGINS must name its address anyway (Django sees plain http
# there and would refuse every form), so it also says whether cookies can be kept to https. Without it they must
# not be: the admin is then reached over http://localhost, where a browser never sends a secure cookie back.
SERVED_BY_HTTPS = bool(CSRF_TRUSTED_ORIGINS) and all(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS)
SESSION_COOKIE_SECURE = SERVED_BY_HTTPS
CSRF_COOKIE_SECURE = SERVED_BY_HTTPS

# W004 (HSTS) and W008 (redirect to https) are that web server's to decide. W012 and W016 ask for secure cookies, which
# loopback has no use for; served to a network over plain http they do warn.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
if set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS):
    SILENCED_SYSTEM_CHECKS += ["security.W012", "security.W016"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "audit",
    "transfers",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

ROOT_URLCONF = "project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # straight from the packages: no collectstatic, no second copy to go stale

LOGGING = logging.configuration(on_terminal=sys.stderr.isatty())
