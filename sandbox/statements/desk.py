"""`/statements`: plant a mistake by hand, and see what was planted."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control import foreign_origin
from sandbox.html import Html, amount_text, fragment, join, page
from sandbox.provider import World
from sandbox.statements import plans
from sandbox.statements.plans import Fault

_FIELDS = ("statement", "kind", "day", "merchant", "reference")
_SHOWN = 200


def routes(world: World) -> list[BaseRoute]:
    async def show(request: Request) -> Response:
        return HTMLResponse(_page(world, dict(request.query_params)))

    async def plant(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        form = await request.form()
        said = {name: str(form.get(name, "")).strip() for name in _FIELDS}
        channel, _, file = said["statement"].partition("/")
        narrowed: dict[str, Any] = {"reference": said["reference"]} if said["reference"] else {}
        try:
            with world.storage.transaction():
                plans.plan(
                    world,
                    channel=channel,
                    file=file,
                    day=said["day"],
                    kind=said["kind"],
                    merchant=said["merchant"],
                    **narrowed,
                )
        except ValueError as problem:
            return HTMLResponse(_page(world, said, str(problem)), 422)
        return RedirectResponse("/statements", 303)

    async def forget(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        plans.forget(world, request.path_params["fault"])
        return RedirectResponse("/statements", 303)

    return [
        Route("/statements", show, methods=["GET"]),
        Route("/statements", plant, methods=["POST"]),
        Route("/statements/{fault:int}/forget", forget, methods=["POST"]),
    ]


def _page(world: World, said: dict[str, str], trouble: str = "") -> str:
    notice = f'<p class="notice" role="alert">{fragment("text", text=trouble)}</p>' if trouble else ""
    found = plans.planted(world)
    yesterday = datetime.fromtimestamp(world.now(), UTC) - timedelta(days=1)
    body = fragment(
        "statements",
        notice=Html(notice),
        statements=_statements(world, said.get("statement", "")),
        kinds=_kinds(said.get("kind", "")),
        day=said.get("day") or f"{yesterday:%Y-%m-%d}",
        merchants=_merchants(world, said.get("merchant", "")),
        reference=said.get("reference", ""),
        count=len(found),
        planted=_cards([_card(fault) for fault in reversed(found[-_SHOWN:])]),
    )
    return page("Statements · 对账单 · Sandbox", body)


def _statements(world: World, chosen: str) -> Html:
    groups = []
    for channel, provider in world.providers.items():
        names = [(f"{channel}/{file}", f"{channel}: {_words(file)}") for file in provider.statements]
        if names:
            every = [(f"{channel}/", f"{channel}: all of them 全部")] if len(names) > 1 else []
            groups.append(fragment("option_group", label=channel, options=_options([*names, *every], chosen)))
    return join(groups)


def _kinds(chosen: str) -> Html:
    named = (("A row 单行差错", plans.ROW_KINDS), ("The whole file 整份文件", plans.FILE_KINDS))
    return join(
        [
            fragment(
                "option_group", label=label, options=_options([(one, _words(one)) for one in kinds], chosen)
            )
            for label, kinds in named
        ]
    )


def _merchants(world: World, chosen: str) -> Html:
    rows = world.storage.rows("SELECT id, name FROM merchants ORDER BY created_at DESC, name LIMIT ?", _SHOWN)
    return _options([(row["id"], row["name"]) for row in rows], chosen)


def _options(named: Iterable[tuple[str, str]], chosen: str) -> Html:
    return join(
        [
            fragment("option", value=value, label=label, selected=" selected" if value == chosen else "")
            for value, label in named
        ]
    )


def _cards(cards: list[Html]) -> Html:
    if not cards:
        return Html('<p class="empty">Nothing: the statements are true. 没有差错。</p>')
    return Html(f'<ul class="cards">{join(cards)}</ul>')


def _card(fault: Fault) -> Html:
    told = plans.told(fault)
    if fault.truth:
        meant = f"{told['reference']} {amount_text(told['amount'], told['currency'])}"
    elif fault.kind in plans.FILE_KINDS:
        meant = f"next {fault.remaining} deliveries 剩余次数" if fault.remaining else "over 已结束"
    else:
        meant = "waits for a row 等待可用的行"
    return fragment(
        "statement_fault",
        channel=fault.channel,
        kind=_words(fault.kind),
        file=fault.file,
        day=fault.day,
        meant=meant,
        expected=_expected(fault, told["expected"]),
        buttons=fragment(
            "button",
            url=f"/statements/{fault.id}/forget",
            label="Take back 撤销",
            look="",
            of=f"{fault.kind} {fault.day}",
        ),
    )


def _expected(fault: Fault, expected: str) -> str:
    if fault.kind in plans.FILE_KINDS:
        return f"to be {expected}"
    return f"to be found as {_words(expected)}" if expected else "to be matched all the same"


def _words(name: str) -> str:
    return name.replace("_", " ")
