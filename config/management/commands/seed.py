"""`manage.py seed`: roles and catalogue, and with `--demo` the people that a newcomer signs in as."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from checkout.services.seed_catalogue import seed_catalogue
from config.people import ensure_people, ensure_roles


class Command(BaseCommand):
    help = "Make what the shop starts with. What exists is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="also the demo customer and the demo operators"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_roles()
        seed_catalogue()
        if options["demo"]:
            ensure_people()
