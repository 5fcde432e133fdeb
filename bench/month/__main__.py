"""`python -m bench.month --seed 1 --days 30`: the last line is one JSON object; exit code 1 unless everything holds."""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.month.books import compared, profit_by_ledger, profit_by_truth
from bench.month.judge import Verdict, judge
from bench.month.living import Days
from bench.month.planting import CHANNELS, plant, planted
from bench.month.repairs import OPEN, repair_all
from bench.month.statements import bring_in
from bench.month.world import Month, say


def main() -> int:
    asked = _asked()
    with tempfile.TemporaryDirectory(prefix="month-") as folder:
        month = Month(Path(asked.data or folder), days=asked.days, seed=asked.seed)
        try:
            month.start()
            return run(month, asked)
        finally:
            month.stack.stop()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make month")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--payments-per-day", type=int, default=8)
    parser.add_argument("--channels", default=",".join(CHANNELS), help="whose statements are spoilt")
    parser.add_argument("--no-browser", action="store_true", help="leave what is found unrepaired")
    parser.add_argument("--data", help="folder to keep what the month leaves")
    return parser.parse_args()


def run(month: Month, asked: argparse.Namespace) -> int:
    days = Days(month, asked.payments_per_day)
    days.live()
    say(f"lived: {dict(days.done)}")
    left_out = plant(month, [name for name in asked.channels.split(",") if name])
    say(f"left out: {', '.join(left_out) or 'nothing'}")
    faults = planted(month)
    bring_in(month, faults)
    verdict = judge(month, faults)
    for row in verdict.table:
        say("  ".join(row))
    _tell(verdict.missed, verdict.beyond)
    repaired = Counter[str]() if asked.no_browser else repair_all(month, verdict.liars)
    return _report(month, asked, verdict, repaired, left_out)


def _report(
    month: Month, asked: argparse.Namespace, verdict: Verdict, repaired: Counter[str], left_out: Sequence[str]
) -> int:
    left, wrong = month.rows(OPEN), compared(month)
    profit, expected = profit_by_ledger(month), profit_by_truth(month)
    apart = [name for name in sorted(profit | expected) if profit[name] != expected[name]]
    _tell(wrong, [f"{name} is {profit[name]}, in truth {expected[name]}" for name in apart])
    verify = month.stack.verify()
    told = {
        "seed": asked.seed,
        "days": asked.days,
        "payments": asked.days * asked.payments_per_day,
        "planted": len(verdict.table),
        "left_out": len(left_out),
        "missed": len(verdict.missed),
        "beyond": len(verdict.beyond),
        "passing": verdict.passing,
        "repaired": dict(repaired),
        "open": len(left),
        "verify_ok": verify["ok"],
        "balances_wrong": len(wrong),
        "profit_wrong": len(apart),
    }
    _tell(map(str, verify["broken"][:20]))
    print(json.dumps(told))
    found = not (verdict.missed or verdict.beyond)
    return 0 if found and not (left or wrong or apart) and verify["ok"] else 1


def _tell(*words: Iterable[str]) -> None:
    for line in (line for some in words for line in some):
        say(line)


if __name__ == "__main__":
    raise SystemExit(main())
