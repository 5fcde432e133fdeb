"""`manage.py rebuild_risk_histories`"""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from risk.services.rebuild_histories import rebuild_histories


class Command(BaseCommand):
    help = "Make what Redis remembers of customers, cards, devices, … anew from the stored decisions."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = rebuild_histories()
        except redis.RedisError as error:
            raise CommandError(
                f"Redis does not answer ({type(error).__name__}); nothing was changed."
            ) from error
        self.stdout.write(f"Rebuilt from {told} decisions.")
