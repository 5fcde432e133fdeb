"""Every dotted path in the settings leads somewhere: a typing error must not wait for the first payment.

Warnings, on which `make check` fails: an error would also keep `migrate` and `verify` from running.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string


def check_dotted_paths(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    return [
        CheckWarning(f"{setting} names {path}: {error}", id="config.W001")
        for setting, path in _paths()
        if (error := _why_not(path))
    ]


def _paths() -> Iterator[tuple[str, str]]:
    for setting in ("EVENT_HANDLERS", "EVENT_SUBSCRIBERS"):
        for paths in getattr(settings, setting).values():
            yield from ((setting, path) for path in paths)
    yield from (("EVENT_STREAMS", path) for path in settings.EVENT_STREAMS)
    yield from (("CHANNELS", path) for path in settings.CHANNELS.values())
    yield from (("INVARIANTS", path) for path in settings.INVARIANTS)
    yield from (("STUCK_SOURCES", path) for path in settings.STUCK_SOURCES)
    yield from (("EVIDENCE_SOURCES", path) for path in settings.EVIDENCE_SOURCES)
    yield "OUTBOX_LAG", settings.OUTBOX_LAG


def _why_not(path: str) -> str:
    try:
        found = import_string(path)
    except ImportError as error:
        return str(error)
    return "" if callable(found) else "it can not be called"
