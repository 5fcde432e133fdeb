"""`/v1/reporting`: a report is asked for, made a moment later, and fetched as a file in major units and UTC."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.provider import World
from sandbox.statements import files
from sandbox.stripe import itemized
from sandbox.stripe.errors import StripeError, missing
from sandbox.stripe.events import emit
from sandbox.stripe.gateway import Call, authenticate
from sandbox.stripe.itemized import COLUMNS, KNOWN, METADATA
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, add, load, newest, save


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
        if name not in KNOWN[kind] and not name.startswith(METADATA):
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
    """The file is written when it is fetched."""
    key = world.new_id("file_")
    file: Object = {
        "id": key,
        "object": "file",
        "created": int(world.now()),
        "expires_at": int(world.now()) + 365 * 86_400,
        "filename": f"{run['id']}.csv",
        "links": {"object": "list", "data": [], "has_more": False, "url": f"/v1/file_links?file={key}"},
        "purpose": "finance_report_run",
        "size": len(itemized.written(world, merchant, run)),
        "title": f"FinanceReportRun {run['id']}",
        "type": "csv",
        "url": f"{world.public_url}/stripe/v1/files/{key}/contents",
        "_run": run["id"],
    }
    add(world, merchant, file)
    return {name: value for name, value in file.items() if name != "_run"}


def routes(world: World) -> list[BaseRoute]:
    async def contents(request: Request) -> Response:
        try:
            account, public = authenticate(world, request.headers.get("authorization", ""))
            if public:
                raise missing("file", request.path_params["id"])
            file: dict[str, Any] = load(world, account.merchant, "file", request.path_params["id"])
            return Response(_contents(world, account.merchant, file), media_type="text/csv")
        except StripeError as error:
            return JSONResponse(error.body, error.status)

    return [Route("/stripe/v1/files/{id}/contents", contents, methods=["GET"])]


def _contents(world: World, merchant: str, file: Object) -> bytes:
    if "_run" not in file:
        return b""
    run = load(world, merchant, "reporting.report_run", file["_run"])
    if itemized.is_late(world, merchant, run):
        raise missing("file", file["id"])
    fault = itemized.spoiled_by(world, merchant, run)
    return files.plain(fault, itemized.written(world, merchant, run, fault))
