"""`manage.py relay`: delivers the outbox until told to stop."""

import signal
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections

from payments.outbox import deliver_batch

IDLE_SECONDS = 0.05


class Command(BaseCommand):
    help = "Deliver outbox events to their subscribers. Several relays may run side by side."

    _running = True

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while self._running:
            try:
                delivered = deliver_batch()
            except OperationalError as error:
                self.stderr.write(f"relay: database not reachable, trying again: {error}")
                close_old_connections()
                delivered = 0
                time.sleep(1)
            if not delivered:
                time.sleep(IDLE_SECONDS)

    def _stop(self, *_: Any) -> None:
        self._running = False
