"""`/v1/reporting`: a report is asked for, made a moment later, and fetched as a file in major units and UTC."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.provider import World
from sandbox.stripe import balance
from sandbox.stripe.errors import StripeError, missing
from sandbox.stripe.events import emit
from sandbox.stripe.gateway import Call, authenticate
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, add, load, newest, save

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
_KNOWN = {
    "payout_reconciliation.itemized.5": {*_MOVEMENT, *_MORE},
    "balance_change_from_activity.itemized.3": {*_MOVEMENT, *_MORE},
    "payouts.itemized.3": {*_PAYOUT},
}
_METADATA = ("payment_metadata[", "refund_metadata[")
_ZERO_DIGITS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
_THREE_DIGITS = "bhd jod kwd omr tnd".split()


def _available_end(world: World) -> int:
    """The day that is still going is in no report."""
    return int(world.now()) // 86_400 * 86_400


def retrieve_type(call: Call) -> Object:
    call.params.finish()
    key = call.path["id"]
    if key not in COLUMNS:
        raise missing("report type", key, "report_type")
    return {
        "id": key,
        "object": "reporting.report_type",
        "data_available_end": _available_end(call.world),
        "data_available_start": 0,
        "default_columns": COLUMNS[key],
        "livemode": False,
        "name": key.partition(".")[0].replace("_", " ").capitalize(),
        "updated": int(call.world.now()),
        "version": int(key.rpartition(".")[2]),
    }


def create(call: Call) -> Object:
    kind = call.params.required("report_type")
    if kind not in COLUMNS:
        raise missing("report type", kind, "report_type")
    asked = call.params.table("parameters")
    start, end = asked.integer("interval_start"), asked.integer("interval_end")
    columns = [str(one) for one in asked.listing("columns")] or COLUMNS[kind]
    currency = asked.text("currency").lower()
    timezone = asked.choice("timezone", ("Etc/UTC",), "Etc/UTC")
    asked.finish()
    call.params.finish()
    if not start < end <= _available_end(call.world):
        message = "The interval must end before the latest data that is available for this report type."
        raise StripeError(message, param="parameters[interval_end]")
    for name in columns:
        if name not in _KNOWN[kind] and not name.startswith(_METADATA):
            raise StripeError(f"Invalid column: {name[:60]}", param="parameters[columns]")
    parameters = {"interval_start": start, "interval_end": end, "columns": columns, "timezone": timezone}
    run: Object = {
        "id": call.world.new_id("frr_"),
        "object": "reporting.report_run",
        "created": int(call.world.now()),
        "error": None,
        "livemode": False,
        "parameters": {**parameters, **({"currency": currency} if currency else {})},
        "report_type": kind,
        "result": None,
        "status": "pending",
        "succeeded_at": None,
    }
    return add(call.world, call.account.merchant, run)


def retrieve(call: Call) -> Object:
    """A report is ready when it is asked about."""
    call.params.finish()
    world, merchant = call.world, call.account.merchant
    run = load(world, merchant, "reporting.report_run", call.path["id"], "report_run")
    if run["status"] == "pending":
        run.update(status="succeeded", succeeded_at=int(world.now()), result=_file(world, merchant, run))
        save(world, run)
        emit(world, merchant, "reporting.report_run.succeeded", run, payment=run["id"])
    return run


def listing(call: Call) -> Object:
    found = newest(call.world, call.account.merchant, "reporting.report_run")
    return page_of(call, found, "/v1/reporting/report_runs")


def _file(world: World, merchant: str, run: Object) -> Object:
    text = _written(run["parameters"]["columns"], _rows(world, merchant, run))
    key = world.new_id("file_")
    file: Object = {
        "id": key,
        "object": "file",
        "created": int(world.now()),
        "expires_at": int(world.now()) + 365 * 86_400,
        "filename": f"{run['id']}.csv",
        "links": {"object": "list", "data": [], "has_more": False, "url": f"/v1/file_links?file={key}"},
        "purpose": "finance_report_run",
        "size": len(text.encode()),
        "title": f"FinanceReportRun {run['id']}",
        "type": "csv",
        "url": f"{world.public_url}/stripe/v1/files/{key}/contents",
        "_text": text,
    }
    add(world, merchant, file)
    return {name: value for name, value in file.items() if name != "_text"}


def _written(columns: list[str], rows: list[Object]) -> str:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return page.getvalue()


def _rows(world: World, merchant: str, run: Object) -> list[Object]:
    asked = run["parameters"]
    span = (merchant, asked["interval_start"], asked["interval_end"])
    kind = run["report_type"].partition(".")[0]
    if kind == "payout_reconciliation":
        payouts = [
            one for one in newest(world, merchant, "payout") if span[1] <= one["arrival_date"] < span[2]
        ]
        found = [
            entry
            for payout in reversed(payouts)
            for entry in balance.entries(world, "e.merchant = ? AND e.payout = ?", merchant, payout["id"])
        ]
    else:
        found = balance.entries(world, "e.merchant = ? AND e.created >= ? AND e.created < ?", *span)
    wanted = [one for one in found if (one["type"] == "payout") is (kind == "payouts")]
    row = _payout_row if kind == "payouts" else _movement_row
    return [
        row(world, merchant, one)
        for one in wanted
        if asked.get("currency", one["currency"]) == one["currency"]
    ]


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
        **_origin(world, merchant, entry),
    }
    if entry["_payout"]:
        payout = load(world, merchant, "payout", entry["_payout"])
        row |= {"automatic_payout_id": payout["id"]}
        row |= _moment("automatic_payout_effective_at", payout["arrival_date"])
    return row


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
        "customer_facing_amount": _major(entry["amount"], entry["currency"]),
        "customer_facing_currency": entry["currency"],
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


def routes(world: World) -> list[BaseRoute]:
    async def contents(request: Request) -> Response:
        try:
            account, public = authenticate(world, request.headers.get("authorization", ""))
            if public:
                raise missing("file", request.path_params["id"])
            file: dict[str, Any] = load(world, account.merchant, "file", request.path_params["id"])
        except StripeError as error:
            return JSONResponse(error.body, error.status)
        return Response(file.get("_text", ""), media_type="text/csv")

    return [Route("/stripe/v1/files/{id}/contents", contents, methods=["GET"])]
