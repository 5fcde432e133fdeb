"""Around every page: the signed device cookie that lets risk tell a known device from a new one; refusals as pages."""

from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import page_not_found

from checkout.views.refusals import words
from ledger.errors import Refusal

COOKIE = "device"
SALT = "checkout.device"
MAX_AGE = 400 * 24 * 3600  # the longest that browsers keep a cookie


class DeviceCookieMiddleware:
    """Puts `request.device_id` on each request, and whether a cookie said it (`device_kept`).

    The cookie is set on pages only, never on API answers.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = request.get_signed_cookie(COOKIE, default=None, salt=SALT, max_age=MAX_AGE)
        device_id = known or uuid4().hex
        request.device_id = device_id  # type: ignore[attr-defined]
        request.device_kept = known is not None  # type: ignore[attr-defined]
        response = self.get_response(request)
        if known is None and response.get("Content-Type", "").startswith("text/html"):
            response.set_signed_cookie(
                COOKIE,
                device_id,
                salt=SALT,
                max_age=MAX_AGE,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure(),
            )
        return response


class RefusalPageMiddleware:
    """A refusal that no view put into words becomes a page instead of an error 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refusal):
            return None
        if exception.status == 404:
            return page_not_found(request, exception)
        return render(request, "checkout/refused.html", {"words": words(exception)}, status=exception.status)
