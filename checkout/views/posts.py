"""Addresses that only change something: opened like a page, by a reload or a switch of language, they lead to one."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

View = Callable[..., HttpResponse]


def post_or_go_to(page: str) -> Callable[[View], View]:
    """Let only POST through; GET is sent to `page`, which takes the same arguments."""

    def decorate(view: View) -> View:
        @wraps(view)
        def posted(request: HttpRequest, **arguments: str) -> HttpResponse:
            if request.method != "POST":
                return redirect(reverse(page, kwargs=arguments))
            return view(request, **arguments)

        return posted

    return decorate
