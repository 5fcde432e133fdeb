"""`manage.py replay_routing --policy shop@2 --since 24h`"""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.errors import Refusal
from ledger.money import Money
from payments.replays import Replay, replay

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if found is None:
        raise ArgumentTypeError("say 30m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Command(BaseCommand):
    help = "Show what a routing policy would have done with the payments of the past; changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--policy", required=True, help="name@version or rtp_…")
        parser.add_argument("--since", type=span, default=timedelta(hours=24), help="30m, 24h, 7d")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = replay(options["policy"], timezone.now() - options["since"])
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("\n".join(_lines(found)))


def _lines(found: Replay) -> list[str]:
    cost = ", ".join(Money(minor, name).formatted() for name, minor in found.cost_difference().items())
    lines = [
        f"{found.policy}, payments since {found.since:%Y-%m-%d %H:%M} UTC: {found.payments}",
        f"would go elsewhere: {found.moved}; nobody would serve: {found.unserved}",
        f"cost difference: {cost or '–'}",
        f"expected success: {_percent(found.success_before)} → {_percent(found.success_after)}",
    ]
    lines += [f"{before} → {after or 'nobody'}: {number}" for (before, after), number in found.flows.items()]
    lines += [
        f"  {one.attempt} {one.reference} {Money(one.amount, one.currency).formatted()}"
        f" {one.before} → {one.after or 'nobody'} ({one.because})"
        for one in found.listed
    ]
    return lines


def _percent(share: int | None) -> str:
    return "–" if share is None else f"{share // 10}.{share % 10} %"
