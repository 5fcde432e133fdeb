"""JSON lines on standard output, one per event, scrubbed of card numbers and secrets."""

import logging

import structlog
from structlog.typing import Processor

from config.scrubbing import scrub
from config.settings.environment import env

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
# A request is one line, when it is answered; which address it came from, `config.middleware` says.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
# As they are where nobody sets them; but what is set is looked up once, and what is not with every request.
DJANGO_STRUCTLOG_STATUS_DEFAULT_LOG_LEVEL = DJANGO_STRUCTLOG_STATUS_2XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"

_shared: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]

_render = structlog.processors.JSONRenderer(ensure_ascii=False)


class Lines(structlog.stdlib.ProcessorFormatter):
    """Our own events have passed `_shared` already, and nothing else of their record is printed."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):  # as structlog wraps them
            return str(_render(None, "", scrub(None, "", record.msg)))
        return super().format(record)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": Lines,
            "foreign_pre_chain": [*_shared, structlog.stdlib.ExtraAdder()],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                scrub,
                _render,
            ],
        }
    },
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    },
    "root": {"handlers": ["stdout"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers would print some events a second time.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Its lines name every URL that we call, at a level that we keep for our own events.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_shared,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
