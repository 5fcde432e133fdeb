"""`manage.py up` in the list of commands. `manage.py` itself goes to `config.embedded.up`, before settings exist."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded.up import main


class Command(BaseCommand):
    help = "Start the whole program on this machine: database, shop, workers and sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("arguments", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        if main(options["arguments"]):
            raise CommandError("not started")
