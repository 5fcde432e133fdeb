"""`manage.py back_test_policy starting@2 --days 180`: what the policy would have done with what was decided."""

import json
import resource
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.errors import Refusal
from ledger.money import Money
from risk.limits import CURRENCY
from risk.services.ask_back_test import ask_back_test
from risk.services.run_back_test import run_back_test


class Command(BaseCommand):
    help = "Have a policy judge stored decisions: precision, recall, reviews, money, what would change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("policy", help="name@version, a draft too")
        parser.add_argument("--days", type=int, default=180)
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asked = ask_back_test(policy=options["policy"], days=options["days"], actor="system")
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        figures = {"back_test": asked, **run_back_test(back_test=asked)}
        figures["most_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if options["json"]:
            self.stdout.write(json.dumps(figures, ensure_ascii=False))
            return
        for line in _in_words(figures):
            self.stdout.write(line)


def _in_words(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['decisions']} decisions of {figures['days']} days in {figures['seconds']} s"
    yield f"labelled: {figures['labelled']['fraud']} fraud, {figures['labelled']['honest']} honest"
    for name, side in (("was", figures["was"]), (figures["policy"], figures["would"])):
        actions = ", ".join(f"{action} {count}" for action, count in side["actions"].items())
        yield f"{name}: {actions}; {side['reviews_per_day']} reviews a day"
        yield (
            f"  precision {side['precision']}, recall {side['recall']}, fraud passed "
            f"{_money(side['fraud_passed_sum'])}, honest stopped {_money(side['honest_stopped_sum'])}"
        )
    for move, total in figures["moved_sums"].items():
        was, _, would = move.partition(">")
        yield f"{was} → {would}: {figures['matrix'][was][would]} decisions, {_money(total)}"


def _money(minor: int) -> str:
    return Money(minor, CURRENCY).formatted()
