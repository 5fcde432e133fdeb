"""The rows of Stripe's itemized reports, in major units and UTC, made of the account's balance transactions."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.provider import World
from sandbox.statements import files
from sandbox.statements.pages import Page, Seen
from sandbox.statements.plans import Fault
from sandbox.stripe import balance
from sandbox.stripe.store import Object, load, newest

_MOVEMENT = (
    "balance_transaction_id created_utc created available_on_utc available_on currency gross fee net"
    " reporting_category source_id description customer_facing_amount customer_facing_currency"
).split()
_MORE = (
    "automatic_payout_id automatic_payout_effective_at_utc automatic_payout_effective_at customer_id charge_id"
    " payment_intent_id charge_created_utc charge_created payment_method_type card_brand card_funding card_country"
    " dispute_reason"
).split()
_PAYOUT = (
    "payout_id effective_at_utc effective_at currency gross fee net reporting_category balance_transaction_id"
    " description payout_expected_arrival_date payout_status payout_type payout_description payout_destination_id"
).split()
COLUMNS = {
    "payout_reconciliation.itemized.5": [*_MORE[:3], *_MOVEMENT],
    "balance_change_from_activity.itemized.3": _MOVEMENT,
    "payouts.itemized.3": _PAYOUT,
}
KNOWN = {
    "payout_reconciliation.itemized.5": {*_MOVEMENT, *_MORE},
    "balance_change_from_activity.itemized.3": {*_MOVEMENT, *_MORE},
    "payouts.itemized.3": {*_PAYOUT},
}
METADATA = ("payment_metadata[", "refund_metadata[")
_ZERO_DIGITS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
_THREE_DIGITS = "bhd jod kwd omr tnd".split()
# the report's own name → what it is called here
_FILES = {
    "payout_reconciliation": "payout_reconciliation",
    "balance_change_from_activity": "balance_change",
    "payouts": "payouts",
}
_KINDS = {"charge": "payment", "refund": "refund", "payout": "payout"}


def spoiled_by(world: World, merchant: str, run: Object) -> Fault | None:
    day = _day(run["parameters"]["interval_start"])
    return files.met(world, "stripe", _file_of(run["report_type"]), merchant, day)


def is_late(world: World, merchant: str, run: Object) -> bool:
    """Whether the file can not be fetched yet."""
    day = _day(run["parameters"]["interval_start"])
    return files.is_late(world, "stripe", _file_of(run["report_type"]), merchant, day)


def written(world: World, merchant: str, run: Object, fault: Fault | None = None) -> bytes:
    asked, file = run["parameters"], _file_of(run["report_type"])
    row = _row_of(file)
    rows = [
        row(world, merchant, entry)
        for day in _days(asked["interval_start"], asked["interval_end"])
        for entry in _entries_of(world, merchant, file, day, fault)
        if asked["interval_start"] <= entry["_told_at"] < asked["interval_end"] or fault
        if asked.get("currency", entry["currency"]) == entry["currency"]
    ]
    return _written(asked["columns"], rows).encode("utf-8")


def _entries_of(world: World, merchant: str, file: str, day: date, fault: Fault | None) -> list[Object]:
    told = files.day_told(world, "stripe", file, merchant, day, fault)
    return files.of_day(world, "stripe", file, merchant, told, fault)


def _file_of(report: str) -> str:
    return _FILES[report.partition(".")[0]]


def _day(moment: int) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _days(start: int, end: int) -> list[date]:
    first, last = _day(start), _day(end - 1)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _begins(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _activity(world: World, merchant: str, day: date) -> list[Object]:
    return _created(world, merchant, day, payouts=False)


def _payouts(world: World, merchant: str, day: date) -> list[Object]:
    return _created(world, merchant, day, payouts=True)


def _created(world: World, merchant: str, day: date, *, payouts: bool) -> list[Object]:
    start = int(_begins(day))
    found = balance.entries(
        world, "e.merchant = ? AND e.created >= ? AND e.created < ?", merchant, start, start + 86_400
    )
    return [
        _told(world, merchant, one, one["created"]) for one in found if (one["type"] == "payout") is payouts
    ]


def _paid_out(world: World, merchant: str, day: date) -> list[Object]:
    """What the payouts that arrive on this day are made of."""
    start = _begins(day)
    arriving = [
        one for one in newest(world, merchant, "payout") if start <= one["arrival_date"] < start + 86_400
    ]
    return [
        _told(world, merchant, entry, payout["arrival_date"])
        for payout in reversed(arriving)
        for entry in balance.entries(world, "e.merchant = ? AND e.payout = ?", merchant, payout["id"])
        if entry["type"] != "payout"
    ]


def _told(world: World, merchant: str, entry: Object, told_at: int) -> Object:
    """The entry with what the report says of its origin, and the moment by which it is in the report."""
    return {**entry, "_told_at": told_at, "_origin": _origin(world, merchant, entry)}


def _seen(entry: Object) -> Seen:
    origin, kind = entry["_origin"], _KINDS.get(entry["reporting_category"], "other")
    named = "refund_metadata[reference]" if kind == "refund" else "payment_metadata[reference]"
    reference = entry["source"] if kind == "payout" else str(origin.get(named, ""))
    currency = entry["currency"].upper()
    return Seen(
        entry["id"], kind, reference, entry["amount"], entry["fee"], currency, float(entry["created"])
    )


def _changed(entry: Object, what: Mapping[str, Any]) -> Object:
    more: Object = {name: what[name] for name in ("amount", "fee") if name in what}
    if "currency" in what:
        more["currency"] = what["currency"].lower()
    if "moved_at" in what:
        more |= {"created": int(what["moved_at"]), "_told_at": int(what["moved_at"])}
    if "key" in what:
        more["id"] = what["key"]
    if "reference" in what:
        stranger = {"charge_id": f"ch_{what['reference']}", "payment_intent_id": f"pi_{what['reference']}"}
        said = {name: value for name, value in entry["_origin"].items() if "metadata[" not in name}
        more |= {"_origin": {**said, **stranger}, "source": stranger["charge_id"]}
    after = {**entry, **more}
    return {**after, "net": after["amount"] - after["fee"]}


def _page(
    rows: Callable[[World, str, date], list[Object]],
    *kinds: str,
    whole: Sequence[str] = (),
    by_moment: bool = True,
) -> Page[Object]:
    return Page(
        rows=rows,
        seen=_seen,
        change=_changed,
        begins=_begins,
        row_kinds=kinds,
        file_kinds=("truncated", "damaged", "not_ready", "corrected", "repeated", *whole),
        by_moment=by_moment,
    )


_ROWS = ("missing", "amount", "currency", "fee", "duplicate", "refund_missing")
STATEMENTS = {
    "balance_change": _page(_activity, "foreign", "late", *_ROWS, whole=("mixed_days",)),
    "payout_reconciliation": _page(_paid_out, *_ROWS, by_moment=False),
    "payouts": _page(_payouts, "payout_amount"),
}


def _written(columns: list[str], rows: list[Object]) -> str:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return page.getvalue()


def _row_of(kind: str) -> Callable[[World, str, Object], Object]:
    return _payout_row if kind == "payouts" else _movement_row


def _common(entry: Object) -> Object:
    return {
        "balance_transaction_id": entry["id"],
        "currency": entry["currency"],
        "gross": _major(entry["amount"], entry["currency"]),
        "fee": _major(entry["fee"], entry["currency"]),
        "net": _major(entry["net"], entry["currency"]),
        "reporting_category": entry["reporting_category"],
        "description": entry["description"] or "",
    }


def _payout_row(world: World, merchant: str, entry: Object) -> Object:
    payout = load(world, merchant, "payout", entry["source"])
    return {
        **_common(entry),
        **_moment("effective_at", payout["arrival_date"]),
        "payout_id": payout["id"],
        "payout_expected_arrival_date": _text(payout["arrival_date"]),
        "payout_status": payout["status"],
        "payout_type": payout["type"],
        "payout_description": payout["description"],
        "payout_destination_id": payout["destination"],
    }


def _movement_row(world: World, merchant: str, entry: Object) -> Object:
    row = {
        **_common(entry),
        **_moment("created", entry["created"]),
        **_moment("available_on", entry["available_on"]),
        "source_id": entry["source"],
        **entry["_origin"],
        **_faced(entry),
    }
    if entry["_payout"]:
        payout = load(world, merchant, "payout", entry["_payout"])
        row |= {"automatic_payout_id": payout["id"]}
        row |= _moment("automatic_payout_effective_at", payout["arrival_date"])
    return row


def _faced(entry: Object) -> Object:
    if not entry["_origin"]:
        return {}
    return {
        "customer_facing_amount": _major(entry["amount"], entry["currency"]),
        "customer_facing_currency": entry["currency"],
    }


def _origin(world: World, merchant: str, entry: Object) -> Object:
    """The charge behind a movement, and what the merchant wrote at its payment and refund."""
    kinds = {"ch_": "charge", "re_": "refund", "dp_": "dispute"}
    kind = kinds.get(entry["source"][:3])
    if kind is None:
        return {}
    source = load(world, merchant, kind, entry["source"])
    charge = source if kind == "charge" else load(world, merchant, "charge", source["charge"])
    details = charge["payment_method_details"]
    card = details.get("card", {})
    intent = load(world, merchant, "payment_intent", charge["payment_intent"])
    return {
        "customer_id": charge["customer"] or "",
        "charge_id": charge["id"],
        "payment_intent_id": intent["id"],
        **_moment("charge_created", charge["created"]),
        "payment_method_type": details["type"],
        "card_brand": card.get("brand", ""),
        "card_funding": card.get("funding", ""),
        "card_country": card.get("country", ""),
        "dispute_reason": source["reason"] if kind == "dispute" else "",
        **{f"payment_metadata[{name}]": value for name, value in intent["metadata"].items()},
        **(
            {f"refund_metadata[{name}]": value for name, value in source["metadata"].items()}
            if kind == "refund"
            else {}
        ),
    }


def _moment(name: str, seconds: int) -> Object:
    return {name: _text(seconds), f"{name}_utc": _text(seconds)}


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _major(amount: int, currency: str) -> str:
    digits = 0 if currency in _ZERO_DIGITS else 3 if currency in _THREE_DIGITS else 2
    sign, (whole, rest) = "-" if amount < 0 else "", divmod(abs(amount), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"
