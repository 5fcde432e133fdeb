"""The shop window."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from checkout import selectors


@require_safe
def shop(request: HttpRequest) -> HttpResponse:
    return render(request, "checkout/shop.html", {"goods": selectors.catalogue()})
