"""`manage.py replay_decisions --all`: judge what was decided again, and compare every byte."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.identifiers import first_key_of
from risk.selectors import replays

_SHOWN = 100


class Command(BaseCommand):
    help = "Judge stored decisions again from their inputs and policy version; fails where a byte differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="every decision")
        which.add_argument("--days", type=int, help="those of the last days")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *args: Any, **options: Any) -> None:
        since = None if options["all"] else first_key_of(timezone.now() - timedelta(days=options["days"]))
        started, seen = perf_counter(), 0
        broken: list[dict[str, str]] = []
        for replay in replays(since=since):
            seen += 1
            if not replay.same and len(broken) < _SHOWN:
                broken.append({"decision": replay.decision, "fault": replay.fault})
        seconds = round(perf_counter() - started, 2)
        figures = {"decisions": seen, "same": not broken, "broken": broken, "seconds": seconds}
        self.stdout.write(
            json.dumps(figures)
            if options["json"]
            else f"{seen} decisions judged again in {seconds} s: "
            + (f"{len(broken)} or more differ" if broken else "every byte the same")
        )
        if broken:
            raise CommandError(f"not the same: {', '.join(one['decision'] for one in broken[:5])}")
