"""`manage.py seed_first_order`: the demo customer has bought here before."""

from typing import Any

from django.core.management.base import BaseCommand

from config.first_order import ensure_first_order


class Command(BaseCommand):
    help = (
        "Buy a packet of tea as the demo customer, unless they have paid for something before (sandbox only)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_first_order("demo")
