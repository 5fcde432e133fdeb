"""`/health`: the process lives. `/health/ready`: everything that it needs to take money does."""

import time
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from structlog import get_logger

from config.celery import HEARTBEAT

log = get_logger(__name__)


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok", "service": "smart-checkout"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    parts = {name: _state(probe) for name, probe in _PROBES.items()}
    well = all(state == "ok" for state in parts.values())
    return JsonResponse(
        {"status": "ok" if well else "unavailable", "service": "smart-checkout", "parts": parts},
        status=200 if well else 503,
    )


def _state(probe: Callable[[], str]) -> str:
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 (whatever is wrong with a part, the answer names it)
        log.warning("health.part_failed", probe=probe.__name__, error=str(error))
        return "unreachable"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _redis() -> str:
    cache.get(HEARTBEAT)
    return "ok"


def _worker() -> str:
    beat = cache.get(HEARTBEAT)
    if beat is None:
        return "no heartbeat"
    age = time.time() - beat
    return "ok" if age < settings.WORKER_SILENCE_SECONDS else f"silent for {age:.0f} s"


def _outbox() -> str:
    lag: float = import_string(settings.OUTBOX_LAG)()
    return "ok" if lag < settings.OUTBOX_LAG_SECONDS else f"behind by {lag:.0f} s"


_PROBES: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "worker": _worker,
    "outbox": _outbox,
}
