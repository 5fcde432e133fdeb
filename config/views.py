"""Pages that belong to no single app."""

from http import HTTPStatus

from django.contrib.admin import site
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ledger.errors import Refusal


def console_sign_in(request: HttpRequest) -> HttpResponse:
    """The console's own; whoever does not say where to go is led to its home and not into the shop."""
    if REDIRECT_FIELD_NAME not in {*request.GET, *request.POST}:
        told = request.GET.copy()
        told[REDIRECT_FIELD_NAME] = reverse("admin:index")
        request.GET = told  # type: ignore[assignment]
    return site.login(request)


@require_safe
def error_catalogue(request: HttpRequest) -> HttpResponse:
    """Every code that a problem may carry: the page that a problem's `type` points to."""
    refusals = {
        refusal.code: {
            "code": refusal.code,
            "status": refusal.status,
            "phrase": HTTPStatus(refusal.status).phrase,
            "meaning": _own_docstring(refusal),
        }
        for refusal in _descendants(Refusal)
    }
    return render(request, "config/errors.html", {"refusals": [refusals[code] for code in sorted(refusals)]})


def _descendants(refusal: type[Refusal]) -> list[type[Refusal]]:
    return [found for child in refusal.__subclasses__() for found in (child, *_descendants(child))]


def _own_docstring(refusal: type[Refusal]) -> str:
    words = refusal.__dict__.get("__doc__") or ""
    return words.strip().split("\n\n")[0]
