"""Logs are events: one JSON object per line on stderr, a stable name plus fields, ours and the libraries'.

One law: no secret reaches a line. Fields whose name says secret are masked, and so are passwords inside URLs.
"""

import logging
import re
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from django.core.exceptions import PermissionDenied
from django.db.utils import InterfaceError, OperationalError

MASK = "[redacted]"
_SECRET_NAME = re.compile(
    r"(secret|passphrase|password|private_?key|api_?key|credential|mnemonic|authorization|cookie|signature"
    r"|(^|_)token$|auth_token)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^/\s:@]*):[^/\s@]+@", re.IGNORECASE)
_BEARER = re.compile(r"\b(?P<kind>Bearer|Token)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)

Event = MutableMapping[str, Any]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        value = _URL_PASSWORD.sub(rf"\g<scheme>\g<user>:{MASK}@", value)
        return _BEARER.sub(rf"\g<kind> {MASK}", value)
    if isinstance(value, dict):
        return {key: _mask(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _mask(name: str, value: Any) -> Any:
    return MASK if _SECRET_NAME.search(name) and value not in (None, "") else _clean(value)


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """A structlog processor; runs last before rendering, so exception texts are covered too."""
    event.pop("color_message", None)  # uvicorn's second copy of its message, for terminals
    return {key: _mask(key, value) for key, value in event.items()}


class Expected(logging.Filter):
    """A page that says no, or a database that is gone, is a line and not a mistake of ours: no traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if record.name == "django.request" and isinstance(error, PermissionDenied | OperationalError | InterfaceError):
            record.exc_info = record.exc_text = None
            record.error = f"{type(error).__name__}: {error}".rstrip(": ")
        return True


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, level: str, fmt: Literal["json", "console"]) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING, which renders its events and the standard library's."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: list[Any] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
        if fmt == "json"
        else [redact, structlog.dev.ConsoleRenderer(colors=False)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "events": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder()],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            }
        },
        "filters": {"expected": {"()": Expected}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events", "filters": ["expected"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Their INFO is one line per frame, request or poll.
            "websockets": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            # Uvicorn brings handlers of its own; naming its loggers here takes them away again.
            "uvicorn": {"level": "INFO", "propagate": True},
            "uvicorn.error": {"propagate": True},
            "uvicorn.access": {"level": "WARNING", "propagate": True},
            "kombu": {"level": "WARNING"},
            # The filesystem broker has no host name, and says so each time.
            "kombu.connection": {"level": "ERROR"},
            "axes": {"level": "WARNING"},
        },
    }
