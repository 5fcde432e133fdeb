"""`manage.py relay`: delivers the outbox, and sends webhooks, until told to stop."""

import signal
import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections, connection

from payments.outbox import deliver_batch, sleep_until_rung
from payments.services.send_webhook import send_webhook

log = structlog.get_logger(__name__)

# How late a second try may be; a new event wakes the relay at once.
IDLE_SECONDS = 0.5


class Command(BaseCommand):
    help = "Deliver outbox events to their subscribers and webhooks to merchants. Several relays may run side by side."

    _stopped = threading.Event()

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        senders = [threading.Thread(target=self._send_webhooks) for _ in range(settings.WEBHOOK_SENDERS)]
        for sender in senders:
            sender.start()
        try:
            self._deliver()
        finally:
            self._stopped.set()
            for sender in senders:
                sender.join()

    def _deliver(self) -> None:
        while not self._stopped.is_set():
            try:
                if not deliver_batch():
                    sleep_until_rung(IDLE_SECONDS)
            except OperationalError as error:
                self.stderr.write(f"relay: database not reachable, trying again: {error}")
                close_old_connections()
                time.sleep(1)

    def _send_webhooks(self) -> None:
        """One at a time in each thread, each with a connection of its own."""
        while not self._stopped.is_set():
            try:
                idle = not send_webhook()
            except Exception:
                log.exception("webhook.sender_failed")
                close_old_connections()
                idle = True
            if idle:
                self._stopped.wait(IDLE_SECONDS)
        connection.close()

    def _stop(self, *_: Any) -> None:
        self._stopped.set()
