"""`manage.py stuck`: all money that is stuck, as the console lists it."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from ledger.money import Money
from ledger.stuck import Sort, StuckItem, StuckTotal
from reconciliation.selectors import stuck_page, stuck_totals


class Command(BaseCommand):
    help = "List the money that is stuck, oldest first, and what is at risk."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")
        parser.add_argument("--limit", type=int, default=200, help="how many to list; all are counted")

    def handle(self, *args: Any, **options: Any) -> None:
        totals = stuck_totals()
        page = stuck_page(sort=Sort.OLDEST, limit=max(1, options["limit"]))
        items = [listed.item for listed in page.items]
        if options["json"]:
            self.stdout.write(_as_json(totals, items))
            return
        for line in _in_words(totals, items):
            self.stdout.write(line)


def _as_json(totals: list[StuckTotal], items: list[StuckItem]) -> str:
    told = {
        "count": sum(total.count for total in totals),
        "totals": [
            {
                "kind": total.kind,
                "currency": total.currency,
                "count": total.count,
                "minor": total.minor,
                "oldest": total.oldest.isoformat(),
            }
            for total in totals
        ],
        "items": [
            {
                "kind": item.kind,
                "subject": item.subject,
                "reference": item.reference,
                "minor": item.at_risk.minor if item.at_risk else None,
                "currency": item.at_risk.currency if item.at_risk else "",
                "since": item.since.isoformat(),
                "what": item.what,
            }
            for item in items
        ],
    }
    return json.dumps(told, ensure_ascii=False)


def _in_words(totals: list[StuckTotal], items: list[StuckItem]) -> Iterator[str]:
    for item in items:
        sum_at_risk = item.at_risk.formatted() if item.at_risk else "?"
        yield f"{item.since:%Y-%m-%d %H:%M}  {item.kind:<24}{sum_at_risk:>14}  {item.subject}  {item.what}"
    count = sum(total.count for total in totals)
    yield f"{count:,} stuck" if count else "No money is stuck."
    for total in totals:
        if total.currency:
            at_risk = Money(total.minor, total.currency).formatted()
            yield f"        {total.kind}: {total.count:,}, {at_risk} at risk"
