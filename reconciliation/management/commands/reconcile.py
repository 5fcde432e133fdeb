"""`manage.py reconcile`: fetch, match and settle statements, telling how it goes; a JSON summary at the end."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from reconciliation.services.bring_statements import bring_statements


class Command(BaseCommand):
    help = "Fetch, match and settle the statements that are due, or those of the named channel or days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--channel", default="", help="only this channel's")
        parser.add_argument("--day", type=date.fromisoformat, help="only this day of the provider's")
        parser.add_argument(
            "--since", type=date.fromisoformat, help="from this day on, also without movements"
        )
        parser.add_argument("--until", type=date.fromisoformat, help="up to this day")

    def handle(self, *args: Any, **options: Any) -> None:
        brought = bring_statements(
            now=timezone.now(),
            channel=options["channel"],
            since=options["day"] or options["since"],
            until=options["day"] or options["until"],
            tell=self._tell,
        )
        self.stdout.write(json.dumps(asdict(brought)))

    def _tell(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()
