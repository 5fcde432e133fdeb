"""`python -m bench.month --seed 1 --days 30`: the last line is one JSON object; exit code 1 unless everything holds."""

import argparse
import tempfile
from pathlib import Path

from bench.month.living import Days
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
    parser.add_argument("--data", help="folder to keep what the month leaves")
    return parser.parse_args()


def run(month: Month, asked: argparse.Namespace) -> int:
    days = Days(month, asked.payments_per_day)
    days.live()
    say(f"{dict(days.done)}")
    lines, summary = month.reconcile("--since", str(month.first), "--until", str(month.days[-1]))
    print("\n".join(lines), summary)
    for row in month.rows("SELECT channel, kind, line_kind, subject, amount, told_amount, their_reference, ours, theirs FROM reconciliation_discrepancy"):
        print(row)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
