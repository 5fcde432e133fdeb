"""A statement's rows of one day with what was planted in them. Everything that is counted from them follows."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, TypeVar

from sandbox.provider import World
from sandbox.statements import plans
from sandbox.statements.pages import Page, Seen
from sandbox.statements.plans import Fault

T = TypeVar("T")
_LATEST_DAYS = 40
_JOIN_DAYS = 7


def of_day(world: World, channel: str, file: str, merchant: str, day: date) -> list[Any]:
    """What the provider tells of this day."""
    page: Page[Any] = world.providers[channel].statements[file]
    rows = page.rows(world, merchant, day)
    faults = plans.of_rows(world, channel, merchant, file)
    if faults:
        rows = [changed for row in rows for changed in _changed(page, row, faults, day)]
        rows += [row for fault in faults for row in _added(world, page, fault, day)]
        rows.sort(key=lambda row: page.seen(row).moved_at)
    return rows


def drift(world: World, channel: str, file: str, merchant: str, before: date) -> Mapping[str, int]:
    """By how much the balance that the provider believes in is off at the begin of a day, by currency."""
    page: Page[Any] = world.providers[channel].statements[file]
    touched: set[date] = set()
    for fault in plans.of_rows(world, channel, merchant, file):
        longest = _LATEST_DAYS if fault.kind == "late" else _JOIN_DAYS if "joined_with" in fault.truth else 1
        touched |= {fault.day + timedelta(days=later) for later in range(longest)}
    off: dict[str, int] = {}
    for day in sorted(one for one in touched if one < before):
        for sign, rows in (
            (1, of_day(world, channel, file, merchant, day)),
            (-1, page.rows(world, merchant, day)),
        ):
            for seen in map(page.seen, rows):
                off[seen.currency] = off.get(seen.currency, 0) + sign * (seen.amount - seen.fee)
    return off


def _changed(page: Page[T], row: T, faults: list[Fault], day: date) -> list[T]:
    """What stands in the row's place."""
    seen, rows = page.seen(row), [row]
    for fault in faults:
        if fault.target == seen.key and fault.kind in page.row_kinds and rows:
            rows = _instead(page, rows[0], seen, fault)
        elif fault.truth.get("joined_with") == seen.key and fault.kind in page.row_kinds:
            both = seen.amount + fault.truth["amount"]
            rows = [page.change(row, {"amount": both, "text": fault.truth["reference"]})]
    return rows


def _instead(page: Page[T], row: T, seen: Seen, fault: Fault) -> list[T]:
    if fault.kind in ("missing", "refund_missing", "deposit_missing", "deposits_joined"):
        return []
    if fault.kind == "late" and page.by_moment:
        return []
    if fault.kind == "duplicate":
        return [row, row]
    if fault.kind == "deposit_split":
        first = seen.amount * fault.dice().randint(20, 80) // 100
        other = f"{seen.key[:-1]}{'3' if seen.key[-1] == '2' else '2'}"
        rest = page.change(row, {"amount": seen.amount - first, "key": other})
        return [page.change(row, {"amount": first}), rest]
    what = shown(fault)
    return [page.change(row, what)] if what else [row]


def shown(fault: Fault) -> dict[str, Any]:
    """What the row says instead."""
    by, truth = fault.asked.get("by", 0), fault.truth
    off = by or fault.dice().randint(1, 500)
    if fault.kind in ("amount", "payout_amount"):
        return {"amount": truth["amount"] + off}
    if fault.kind == "fee":
        return {"fee": truth["fee"] + (by or fault.dice().randint(1, 50))}
    if fault.kind == "currency":
        return {"currency": fault.asked.get("currency") or ("USD" if truth["currency"] != "USD" else "EUR")}
    if fault.kind == "state":
        return {"state": fault.asked.get("state", "processing")}
    return {}


def _added(world: World, page: Page[T], fault: Fault, day: date) -> list[T]:
    """Rows of this fault that this day has and should not have."""
    if not fault.target or fault.kind not in page.row_kinds or not page.by_moment:
        return []
    if fault.kind == "late" and fault.day + timedelta(days=fault.asked.get("days", 1)) == day:
        return [
            page.change(row, {"moved_at": page.begins(day) + fault.dice().randint(1, 600)})
            for row in page.rows(world, fault.merchant, fault.day)
            if page.seen(row).key == fault.target
        ]
    if fault.kind == "foreign" and fault.day == day:
        return [
            page.change(row, _foreign(fault))
            for row in page.rows(world, fault.merchant, fault.day)
            if page.seen(row).key == fault.target
        ]
    if fault.kind == "unexplained" and fault.day == day and page.invented is not None:
        return [page.invented(world, fault.merchant, day, fault.dice())]
    return []


def _foreign(fault: Fault) -> dict[str, Any]:
    """Somebody else's payment: the chosen row is only the pattern."""
    dice = fault.dice()
    digits = "".join(str(dice.randrange(10)) for _ in fault.target)
    key = "".join(digit if mark.isdigit() else mark for mark, digit in zip(fault.target, digits, strict=True))
    return {
        "key": key,
        "reference": f"OTHER{digits[:16]}",
        "amount": fault.asked.get("by") or dice.randint(100, 99_999),
    }
