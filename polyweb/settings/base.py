"""What every profile shares. Variables are read by `polyweb.env`, once, here; `settings.POLYWEB` holds them.

One law: importing this module never fails because of a wrong variable. What was wrong is kept in
`POLYWEB_PROBLEMS` and said by `polyweb.checks`.
"""

import os
import secrets
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from polyweb import logs
from polyweb.env import BASE_DIR as BASE_DIR
from polyweb.env import Env, Problem, Profile, profile_of, read_env

_reading = read_env(profile_of(os.environ.get("DJANGO_SETTINGS_MODULE", "")), env_file=BASE_DIR / ".env")
POLYWEB: Env = _reading.env
POLYWEB_PROBLEMS: list[Problem] = list(_reading.problems)
POLYWEB_UNKNOWN: tuple[Problem, ...] = _reading.unknown


def _folder(path: Path) -> Path:
    """Make a folder under var/; a disk that refuses is one more problem for the checks."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        message = f"the folder {path.name}/ cannot be written: {error.strerror}"
        hint = "Point POLYWEB_VAR_DIR at a folder this user may write."
        if all(problem.variable != "POLYWEB_VAR_DIR" for problem in POLYWEB_PROBLEMS):
            POLYWEB_PROBLEMS.append(Problem("POLYWEB_VAR_DIR", message, hint))
    return path


def _secret_key() -> str:
    """The configured key; outside live one is made once and kept, so that logins survive a restart."""
    if POLYWEB.secret_key is not None:
        return POLYWEB.secret_key.get_secret_value()
    if POLYWEB.profile is Profile.LIVE:
        return secrets.token_urlsafe(50)  # polyweb.E005 stops the process; nothing is ever signed with it
    path = _folder(POLYWEB.var_dir) / "secret_key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip() or secrets.token_urlsafe(50)
    except OSError:
        return secrets.token_urlsafe(50)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key := secrets.token_urlsafe(50))
    return key


SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = list(POLYWEB.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(POLYWEB.trusted_origins)

ROOT_URLCONF = "polyweb.urls"
ASGI_APPLICATION = "polyweb.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

INSTALLED_APPS = [
    "polyweb",
    "markets",
    "strategies",
    "risk",
    "execution",
    "polyweb.apps.PolywebAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "django_celery_beat",
    "django_celery_results",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_prometheus",
    "django_structlog",
    "csp",
]

# The row of a stop needs these and nothing else: orders must not rest while pages, tasks and their packages are read.
STOP_APPS = [
    "polyweb.bare_app.BareConfig",
    "markets",
    "strategies",
    "risk",
    "execution",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
if sys.argv[1:2] == ["stop"]:
    INSTALLED_APPS = STOP_APPS

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "polyweb.addresses.slash_is_optional",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "polyweb.access.require_one_time_code",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "polyweb.accounts.theme",
            ],
        },
    },
]


# Storage ---------------------------------------------------------------------------------------------------


def _databases() -> dict[str, dict[str, Any]]:
    if any(problem.variable == "POLYWEB_DATABASE_URL" for problem in POLYWEB_PROBLEMS):
        # Never fall back to another database than the one that was asked for.
        return {"default": {"ENGINE": "django.db.backends.dummy"}}
    if POLYWEB.database_url is None:
        _folder(POLYWEB.var_dir)
    return {"default": POLYWEB.database.settings(pool=True)}


DATABASES = _databases()


def _channel_layer() -> dict[str, Any]:
    if POLYWEB.channel_layer == "redis" and POLYWEB.redis_url is not None:
        # At-most-once and seven times faster than the list-based layer: a dashboard takes a new snapshot
        # when it reconnects, and the engine polls behind every nudge.
        return {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [POLYWEB.redis_url.get_secret_value()], "prefix": "polyweb"},
        }
    return {"BACKEND": "channels.layers.InMemoryChannelLayer"}


CHANNEL_LAYERS = {"default": _channel_layer()}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = POLYWEB.static_root
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# WhiteNoise answers with a file iterator; under ASGI Django wraps it in a thread and says so each time.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")


# Celery ----------------------------------------------------------------------------------------------------


def _broker() -> tuple[str, dict[str, Any]]:
    if POLYWEB.broker == "redis":
        # Without a Redis polyweb.E004 stops the process before anything is sent.
        url = POLYWEB.redis_url.get_secret_value() if POLYWEB.redis_url else "redis://"
        return url, {"visibility_timeout": 3600}
    queue = str(_folder(POLYWEB.var_dir / "broker" / "queue"))
    control = str(_folder(POLYWEB.var_dir / "broker" / "control"))
    return "filesystem://", {"data_folder_in": queue, "data_folder_out": queue, "control_folder": control}


CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = _broker()
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_TRACK_STARTED = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"


# Who may do what -------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "polyweb.accounts.locked_out"
AXES_IPWARE_PROXY_COUNT = 1 if POLYWEB.behind_proxy else 0
AXES_IPWARE_META_PRECEDENCE_ORDER = ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"] if POLYWEB.behind_proxy else ["REMOTE_ADDR"]
OTP_TOTP_ISSUER = "polyweb"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "rest_framework.permissions.DjangoModelPermissions",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["polyweb.queries.StrictFilters"],
    "DEFAULT_PAGINATION_CLASS": "markets.api.pages.Pages",
    "EXCEPTION_HANDLER": "polyweb.errors.for_api",
    "PAGE_SIZE": 100,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"anon": "60/min", "user": "1200/min"},
    "COERCE_DECIMAL_TO_STRING": True,
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=30), "AUTO_REFRESH": False, "TOKEN_LIMIT_PER_USER": 20}
SPECTACULAR_SETTINGS = {
    "TITLE": "polyweb",
    "DESCRIPTION": "Market making on Polymarket: prices and amounts are decimal strings in pUSD and shares.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Limits and breakers both have a `kind`, orders and jobs on chain a `state`: they need names of their own.
    "ENUM_NAME_OVERRIDES": {
        "LimitKindEnum": "risk.models.LIMIT_KINDS",
        "OrderStateEnum": "execution.models.ORDER_STATES",
        "ChainStateEnum": "execution.models.CHAIN_STATES",
    },
}

# No inline script or style anywhere. 'self' in connect-src covers ws: and wss: of the same origin (CSP 3).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "polyweb.accounts.forbidden_form"
if POLYWEB.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


# What it tells ---------------------------------------------------------------------------------------------

PROMETHEUS_EXPORT_MIGRATIONS = False
DJANGO_STRUCTLOG_CELERY_ENABLED = True
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logs.configure(level=POLYWEB.log_level, fmt=POLYWEB.log_format)
