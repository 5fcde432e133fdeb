"""`manage.py erase_customer cus_12 --reason "asked by letter of 3 November"`"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.errors import Refusal
from payments.services.erase_customer import erase_customer


class Command(BaseCommand):
    help = (
        "Erase what is kept of a customer: the cards, here and at the providers, and the key to every copy."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", help="cus_…, as the console shows it")
        parser.add_argument("--reason", required=True, help="for the audit journal")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            erased = erase_customer(
                customer=options["customer"], actor="command:erase_customer", reason=options["reason"]
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            "Erased."
            if erased
            else "Unusable from now on; erased as soon as the provider has forgotten the cards."
        )
