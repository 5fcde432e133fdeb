"""Settings of the program under a benchmark: production's, and every statement is counted."""

import os

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "bench.counting.Counting"]  # noqa: F405
EVENT_SUBSCRIBERS = {**EVENT_SUBSCRIBERS, "bench.happened": ["bench.noting.note"]}  # noqa: F405
if os.environ.get("BENCH_WITHOUT_JANITOR"):
    # It would ask the providers, and by the time that a notification comes nothing of it would be news.
    del CELERY_BEAT_SCHEDULE["payments: ask about open attempts"]  # noqa: F405
