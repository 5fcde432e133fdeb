"""Celery's beat, which leaves when it is told to.

Celery's own handler of signals writes the schedule at once, in the middle of whatever beat is doing: if that is a
query, its connection waits for itself, and beat never ends.
"""

import signal
from contextlib import suppress
from typing import Any

from celery.apps import beat


class Beat(beat.Beat):
    """Told to stop, it gives up its query as at Ctrl-C, writes the schedule, and ends."""

    def run(self) -> None:
        with suppress(KeyboardInterrupt):
            super().run()

    def install_sync_handler(self, service: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
