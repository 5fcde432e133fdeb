"""Pages that belong to no single app."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ledger.errors import Refusal


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
