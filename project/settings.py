"""Django's settings, and the only reader of the environment; the README lists every variable."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from project import channel_layers, databases, logging, secret_key
from transfers.endpoints import validate_ae_title

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

YES, NO = frozenset({"yes", "true", "1", "on"}), frozenset({"no", "false", "0", "off"})


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


def whole_number(name: str, default: int, minimum: int, maximum: int) -> int:
    """A number from the environment."""
    text = env.str(name, default="") or str(default)
    if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
        raise ImproperlyConfigured(f"{name} must be a whole number from {minimum} to {maximum}, not “{text}”.")
    return int(text)


def yes_or_no(name: str) -> bool:
    """A choice from the environment; nothing means no."""
    text = (env.str(name, default="") or "no").lower()
    if text not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be yes or no, not “{text}”.")
    return text in YES


def temporary_folder(data_folder: Path) -> str:
    """Where what is being received lies for a moment: on the disk that has room for studies, and not for others."""
    folder = data_folder / "temporary"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


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

REDIS_URL = secret("REDIS_URL")
WORKER_CONCURRENCY = whole_number("WORKER_CONCURRENCY", 3, 1, 64)
"""How many transfers, and batches being read, run side by side in one worker."""
IMPORT_ROOTS = [str(Path(root).expanduser().resolve()) for root in env.list("IMPORT_ROOTS", default=[])]
"""Folders that the browser and the API may send from."""
DICOM_PORT = whole_number("DICOM_PORT", 11_112, 1, 65_535)
"""Where archives bring their reports on storage commitment to."""
LISTENER_HOST = env.str("LISTENER_HOST", default="") or "0.0.0.0"  # noqa: S104 archives are on other machines
LISTENER_LENIENT = yes_or_no("LISTENER_LENIENT")
"""Whether associations of AE titles that belong to no destination are taken too; what they report proves nothing."""
LISTENER_TLS_CERTIFICATE = env.str("LISTENER_TLS_CERTIFICATE", default="")
LISTENER_TLS_KEY = env.str("LISTENER_TLS_KEY", default="")
LISTENER_TLS_CA = env.str("LISTENER_TLS_CA", default="")
if (LISTENER_TLS_KEY or LISTENER_TLS_CA) and not LISTENER_TLS_CERTIFICATE:
    raise ImproperlyConfigured("LISTENER_TLS_CERTIFICATE is missing: without it the DICOM listener would speak no TLS.")
UPLOAD_QUOTA_BYTES = whole_number("UPLOAD_QUOTA_GB", 20, 1, 100_000) * 1_000_000_000
"""Of what one user has uploaded and what is kept of it."""
UPLOAD_DIR = DATA_DIR / "uploads"

FILE_UPLOAD_TEMP_DIR = temporary_folder(DATA_DIR)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FILES = 2_000
FILE_UPLOAD_HANDLERS = ["transfers.receiving.ReceiveToDisk"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
    "simple_history",
    "audit",
    "transfers",
]

MIDDLEWARE = [
    "project.streaming.stream_from_thread",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.caching.keep_nowhere",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "transfers"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = False  # upload.js sends the token of the cookie
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Guessing passwords: ten wrong ones of one name from one address, and that pair waits for a quarter of an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "429.html"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "transfers.permissions.permissions",
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

ASGI_APPLICATION = "project.asgi.application"
CHANNEL_LAYERS = channel_layers.chosen(REDIS_URL)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "transfers.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["transfers.permissions.MayLookOrOperate"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["transfers.api.parsers.Json"],
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.AnonRateThrottle",
    ],
    # An upload of 20 GB has more parts than there are requests in a minute of everything else.
    "DEFAULT_THROTTLE_RATES": {"user": "1200/min", "anon": "120/min", "upload_parts": "6000/min"},
    "NON_FIELD_ERRORS_KEY": "request",
    "NUM_PROXIES": 0,  # who sends may write anything into X-Forwarded-For
    "DEFAULT_SCHEMA_CLASS": "transfers.api.schema.Schema",
    "EXCEPTION_HANDLER": "transfers.api.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
REST_KNOX = {"TOKEN_TTL": None, "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tallyman",
    "DESCRIPTION": "Moves whole DICOM studies to archives and proves what arrived.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TransferState": "transfers.api.words.TRANSFER_STATES",
        "BatchState": "transfers.api.words.BATCH_STATES",
        "Purpose": "transfers.api.words.PURPOSES",
        "InstanceVerdict": "transfers.api.words.INSTANCE_VERDICTS",
        "StudyVerdict": "transfers.api.words.STUDY_VERDICTS",
        "EvidenceKind": "transfers.api.words.EVIDENCE_KINDS",
        "SkippedKind": "transfers.api.words.SKIPPED_KINDS",
        "WasThereBefore": "transfers.api.words.BEFORE",
        "Ground": "transfers.api.words.GROUNDS",
        "Proof": "transfers.api.words.PROOF_GROUNDS",
        "DestinationKind": "transfers.api.words.DESTINATION_KINDS",
        "SourceKind": "transfers.api.words.SOURCE_KINDS",
        "VerificationLevel": "transfers.api.words.LEVELS",
        "MethodKey": "transfers.api.words.METHOD_KEYS",
        "OptionValue": "transfers.api.words.OPTION_VALUES",
    },
    "SERVE_PERMISSIONS": ["transfers.permissions.MayLookOrOperate"],
}

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = True  # straight from the packages: no collectstatic, no second copy to go stale

LOGGING = logging.configuration(on_terminal=sys.stderr.isatty())
