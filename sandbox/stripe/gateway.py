"""What every API request passes: the key, the form, idempotency, and the answer's shape."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.provider import World
from sandbox.stripe.errors import StripeError
from sandbox.stripe.forms import Params, decode, decode_multipart
from sandbox.stripe.store import Account, Object, account_where, shown

API_VERSION = "2026-10-28.endive"
_LONGEST_BODY = 200_000


@dataclass(slots=True)
class Call:
    """One authenticated request. `public` says that it came with the publishable key only."""

    world: World
    account: Account
    public: bool
    path: dict[str, Any]
    params: Params


Operation = Callable[[Call], Object]
_busy: set[tuple[str, str]] = set()


def endpoint(
    world: World, operation: Operation, *, public: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """The Starlette handler of `operation`; `public` lets the publishable key in."""

    async def handle(request: Request) -> Response:
        request_id = world.new_id("req_")
        try:
            given = await _given(request)
            account, is_public = authenticate(world, request.headers.get("authorization", ""))
            if is_public and not public:
                raise _secret_key_required()
            expand = Params({"expand": given.pop("expand", [])}).listing("expand")
            call = Call(world, account, is_public, dict(request.path_params), Params(given))
            status, text, more = await _once(request, call, operation, [str(path) for path in expand], given)
        except StripeError as error:
            status, text, more = error.status, json.dumps(error.body), {}
        except UnicodeDecodeError:
            status, text, more = 400, json.dumps(StripeError("Invalid UTF-8 in the body.").body), {}
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
            "Stripe-Should-Retry": "true" if status == 409 else "false",
            **more,
        }
        return Response(text, status, headers, "application/json")

    return handle


async def _given(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        return decode(request.url.query)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await decode_multipart(request)
    return decode((await request.body()).decode("utf-8")[:_LONGEST_BODY])


def _secret_key_required() -> StripeError:
    message = "This API call cannot be made with a publishable API key. Please use a secret API key."
    return StripeError(message, status=403, code="secret_key_required")


def authenticate(world: World, header: str) -> tuple[Account, bool]:
    scheme, _, key = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key).decode("ascii").partition(":")[0]
        except ValueError:
            key = ""
    if scheme.lower() not in ("bearer", "basic") or not key:
        raise StripeError(
            "You did not provide an API key. Send it as 'Authorization: Bearer KEY'.", status=401
        )
    is_public = key.startswith("pk_")
    account = account_where(world, key=key)
    if account is None:
        hidden = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "*" * len(key)
        raise StripeError(f"Invalid API Key provided: {hidden}", status=401, code="api_key_invalid")
    return account, is_public


async def _once(
    request: Request, call: Call, operation: Operation, expand: list[str], given: Object
) -> tuple[int, str, dict[str, str]]:
    """Run the operation, or repeat the stored answer of its idempotency key."""
    key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
    if not key:
        return *_run(call, operation, expand, lambda status, text: None), {}
    if len(key) > 255:
        raise StripeError("Idempotency keys may be at most 255 characters long.")
    place = (call.account.merchant, key)
    fingerprint = _fingerprint(request, given)
    if place in _busy:
        message = "There is currently another in-progress request using this Idempotent Key."
        raise StripeError(message, status=409, code="idempotency_key_in_use")
    stored = call.world.storage.row("SELECT * FROM stripe_idempotency WHERE merchant = ? AND key = ?", *place)
    if stored is not None:
        if stored["fingerprint"] != fingerprint:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used"
                f" with. Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise StripeError(message, type="idempotency_error")
        return stored["status"], stored["body"], {"Idempotency-Key": key, "Idempotent-Replayed": "true"}
    _busy.add(place)
    try:
        # a planned fault may make the work long, so that others meet it in progress
        await asyncio.sleep(getattr(request.state, "thinking", 0.0))
        status, text = _run(call, operation, expand, lambda *answer: _keep(call, key, fingerprint, *answer))
    finally:
        _busy.discard(place)
    return status, text, {"Idempotency-Key": key}


def _fingerprint(request: Request, given: Object) -> str:
    text = json.dumps([request.method, request.url.path, given], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _keep(call: Call, key: str, fingerprint: str, status: int, text: str) -> None:
    call.world.storage.run(
        "INSERT INTO stripe_idempotency VALUES (?, ?, ?, ?, ?, ?)",
        *(call.account.merchant, key, fingerprint, status, text, call.world.now()),
    )


def _run(
    call: Call, operation: Operation, expand: list[str], keep: Callable[[int, str], None]
) -> tuple[int, str]:
    """Carry out the operation and keep its answer with it, all or nothing.

    A refusal before the work began undoes everything and is not kept; a decline is work done.
    """
    try:
        with call.world.storage.transaction():
            try:
                done = operation(call)
                status, text = 200, json.dumps(shown(call.world, call.account.merchant, done, expand))
            except StripeError as error:
                if not error.stored:
                    raise
                status, text = error.status, json.dumps(error.body)
            keep(status, text)
            return status, text
    except StripeError as error:
        return error.status, json.dumps(error.body)
