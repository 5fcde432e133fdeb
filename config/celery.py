"""Celery: tasks of every app. The worker's heartbeat in Redis is what `/health/ready` reads."""

import logging.config
import os
import time
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.core.cache import cache
from django_structlog.celery.steps import DjangoStructLogInitStep

from config.beat import Beat
from config.embedded.process import end_with
from config.garbage import collect_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

HEARTBEAT = "worker-heartbeat"

app = Celery("smart_checkout")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Threads of the web server other than the one that imported this must find it too.
app.set_default()
app.Beat = app.subclass_with_self(Beat)  # type: ignore[misc]  # it can be set, whatever its stub says
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def use_our_logs(**_: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)


@signals.worker_process_init.connect
def settle_down(**_: Any) -> None:
    end_with(os.getppid())
    collect_rarely()


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def note_heartbeat(**_: Any) -> None:
    cache.set(HEARTBEAT, time.time(), timeout=60)
