"""`manage.py follow_events --consumer warehouse`: an example of another program that hears every event."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments.bus.registry import bus


class Command(BaseCommand):
    help = "Print the events of the bus, one JSON object a line, until interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--consumer", default="follow-events", help="each goes on where it left off; several may follow"
        )
        parser.add_argument(
            "--from-start",
            action="store_true",
            help="a new consumer begins with the oldest event that is kept",
        )
        parser.add_argument(
            "--until-silent", type=int, metavar="SECONDS", help="end when nothing has come for so long"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        silent = options["until_silent"]
        following = bus().follow(
            consumer=options["consumer"], from_start=options["from_start"], wait_seconds=silent or 1
        )
        for event in following:
            if event is not None:
                self.stdout.write(json.dumps(event.body, ensure_ascii=False))
                self.stdout.flush()
            elif silent:
                return
