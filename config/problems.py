"""Every error of the API as an RFC 9457 problem: a stable `code`, the `param` at fault, and what to do about it."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback
from structlog import get_logger

from ledger.errors import Refusal

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_OUTAGES = (OperationalError, InterfaceError, RedisError)
_RESERVED = {"type", "title", "status", "detail", "code", "param"}
_RENAMED = {"throttled": "rate_limited", "parse_error": "body_malformed"}
_ADVICE = {
    "not_found": "There is nothing at this address. Check the path and the identifier.",
    "not_authenticated": "Sign in, or send an API key: Authorization: Bearer sk_…",
    "unsupported_media_type": "Send the body as application/json.",
    "not_acceptable": "Only application/json is answered: change or drop the Accept header.",
}
# Codes of validation that are worth a code of their own; the others are `invalid`, told apart by `errors`.
_OWN_CODES = {"unknown_field"}


def problem(
    status: int, code: str, detail: str, param: str | None = None, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The members of one problem. `more` are extension members; they never replace a standard one."""
    extensions = {name: value for name, value in (more or {}).items() if name not in _RESERVED}
    return {
        "type": f"{settings.PUBLIC_URL}/docs/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "param": param,
        **extensions,
    }


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's exception handler."""
    set_rollback()
    match error:
        case Refusal():
            return _refusal(error)
        case exceptions.ValidationError():
            return _invalid(error)
        case Http404():
            return _of_framework(exceptions.NotFound())
        case PermissionDenied():
            return _of_framework(exceptions.PermissionDenied())
        case exceptions.APIException():
            return _of_framework(error)
        case _ if isinstance(error, _OUTAGES):
            log.error("api.unavailable", error=str(error))
            return _answer(problem(503, "unavailable", _UNAVAILABLE), {"Retry-After": "5"})
        case _:
            return _unexpected(error, context.get("request"))


_UNAVAILABLE = (
    "We can not answer right now. Send the same request, with the same Idempotency-Key, a little later."
)
_UNEXPECTED = "Something went wrong on our side; it has been noted. Send the same request again later."


def _answer(members: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(members, status=members["status"], headers=headers, content_type=MEDIA_TYPE)


def _refusal(refusal: Refusal) -> Response:
    wait = refusal.context.get("retry_after")
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return _answer(
        problem(refusal.status, refusal.code, str(refusal), refusal.param, refusal.context), headers
    )


def _invalid(error: exceptions.ValidationError) -> Response:
    errors = [
        {"param": path or None, "code": str(detail.code), "detail": str(detail)}
        for path, detail in _leaves(error.detail)
    ]
    first = errors[0] if errors else {"param": None, "code": "invalid", "detail": "Invalid input."}
    code = first["code"] if first["code"] in _OWN_CODES else "invalid"
    return _answer(problem(400, str(code), str(first["detail"]), first["param"], {"errors": errors}))


def _leaves(detail: Any, path: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """Every single error with the path of its field: `items[0].quantity`."""
    match detail:
        case exceptions.ErrorDetail():
            yield path.removesuffix(".non_field_errors").removeprefix("non_field_errors"), detail
        case dict():
            for name, inner in detail.items():
                numbered = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip(".")
                yield from _leaves(inner, numbered)
        case list():
            # A list beside a field holds its messages; a list of objects holds one entry per element.
            nested = any(not isinstance(inner, exceptions.ErrorDetail) for inner in detail)
            for number, inner in enumerate(detail):
                yield from _leaves(inner, f"{path}[{number}]" if nested else path)


def _of_framework(error: exceptions.APIException) -> Response:
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    if "CSRF" in str(error.detail):
        code = "csrf_failed"
    code = _RENAMED.get(code, code)
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    detail = _ADVICE.get(code) or str(error.detail)
    return _answer(problem(error.status_code, code, detail), headers)


def _unexpected(error: Exception, request: Request | None) -> Response:
    log.error("api.failed", error=type(error).__name__, exc_info=error)
    got_request_exception.send(sender=problem_response, request=getattr(request, "_request", request))
    return _answer(problem(500, "internal_error", _UNEXPECTED))


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _plain(status: int, code: str, detail: str) -> HttpResponse:
    return JsonResponse(problem(status, code, detail), status=status, content_type=MEDIA_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return _plain(400, "bad_request", "The request is malformed: check the address and the headers.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return _plain(403, "permission_denied", "This is not yours to see or do.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return _plain(404, "not_found", _ADVICE["not_found"])
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return _plain(500, "internal_error", _UNEXPECTED)
    return defaults.server_error(request)
