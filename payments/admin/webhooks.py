"""Merchants' webhook endpoints: what each is told, how it went, and what a person can do about it."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ledger.errors import Refusal
from payments.errors import WebhookEndpointNotFound
from payments.outward import endpoints as reads
from payments.outward.announcement import PUBLIC
from payments.outward.endpoints import EndpointView
from payments.services.change_webhook_endpoint import change_webhook_endpoint
from payments.services.create_webhook_endpoint import create_webhook_endpoint
from payments.services.delete_webhook_endpoint import delete_webhook_endpoint
from payments.services.replay_webhooks import replay_webhooks
from payments.services.rotate_webhook_secret import rotate_webhook_secret
from payments.services.send_test_webhook import send_test_webhook

VIEW, MANAGE = "payments.view_webhookendpoint", "payments.manage_webhooks"
_SHOWN = 50


@never_cache
@site.admin_view
@require_http_methods(["GET", "POST"])
def endpoints(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    if request.method == "POST":
        _require(request, MANAGE)
        try:
            made = create_webhook_endpoint(
                url=request.POST.get("url", "").strip(),
                events=request.POST.get("events", "").split(),
                description=request.POST.get("description", "").strip()[:200],
                actor=_actor(request),
            )
        except Refusal as refusal:
            messages.error(request, str(refusal))
        else:
            return _page(request, made.endpoint, secret=made.secret)
    context = {
        **site.each_context(request),
        "title": _("Webhooks"),
        "endpoints": reads.endpoints(),
        "events": " ".join(PUBLIC),
        "given": request.POST,
        "may_manage": request.user.has_perm(MANAGE),
    }
    return render(request, "payments/webhooks.html", context)


@never_cache
@site.admin_view
@require_http_methods(["GET", "POST"])
def endpoint(request: HttpRequest, endpoint: str) -> HttpResponse:
    _require(request, VIEW)
    try:
        view = reads.endpoint(endpoint)
    except WebhookEndpointNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "GET":
        return _page(request, view)
    _require(request, MANAGE)
    return _do(request, view)


def _page(request: HttpRequest, view: EndpointView, secret: str = "") -> HttpResponse:
    found = reads.messages_of(view.id, limit=_SHOWN + 1, before=request.GET.get("before", ""))
    context = {
        **site.each_context(request),
        "title": _("Webhooks"),
        "endpoint": view,
        "secret": secret,
        "told": found[:_SHOWN],
        "older": found[_SHOWN - 1].id if len(found) > _SHOWN else "",
        "may_manage": request.user.has_perm(MANAGE),
    }
    return render(request, "payments/webhook_endpoint.html", context)


def _do(request: HttpRequest, view: EndpointView) -> HttpResponse:
    known: dict[str, Callable[[HttpRequest, EndpointView, str], str]] = {
        "test": _test,
        "replay": _replay,
        "replay-since": _replay_since,
        "enable": _enable,
        "disable": _disable,
        "delete": _delete,
    }
    do, reason = request.POST.get("do", ""), request.POST.get("reason", "").strip()
    if do not in known and do != "rotate":
        raise Http404("No such action.")
    if not reason and do in ("rotate", "disable", "enable", "delete", "replay-since"):
        messages.error(request, _("Say why: the reason is kept in the audit journal."))
        return redirect("webhook-endpoint", endpoint=view.id)
    try:
        if do == "rotate":
            rotated = rotate_webhook_secret(endpoint=view.id, actor=_actor(request), reason=reason)
            return _page(request, rotated.endpoint, secret=rotated.secret)
        messages.success(request, known[do](request, view, reason))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("webhook-endpoints") if do == "delete" else redirect("webhook-endpoint", endpoint=view.id)


def _test(request: HttpRequest, view: EndpointView, reason: str) -> str:
    send_test_webhook(endpoint=view.id, actor=_actor(request))
    return _("A test is on its way.")


def _replay(request: HttpRequest, view: EndpointView, reason: str) -> str:
    message = request.POST.get("message", "")
    replay_webhooks(endpoint=view.id, message=message, actor=_actor(request), reason=reason or "console")
    return _("It is sent again.")


def _replay_since(request: HttpRequest, view: EndpointView, reason: str) -> str:
    try:
        since = datetime.fromisoformat(request.POST.get("since", "")).replace(tzinfo=UTC)
    except ValueError:
        return _("Nothing was done: choose a day and a time.")
    count = replay_webhooks(endpoint=view.id, since=since, actor=_actor(request), reason=reason)
    return _("%(count)s are sent again.") % {"count": count}


def _enable(request: HttpRequest, view: EndpointView, reason: str) -> str:
    change_webhook_endpoint(endpoint=view.id, enabled=True, actor=_actor(request), reason=reason)
    return _("It is switched on.")


def _disable(request: HttpRequest, view: EndpointView, reason: str) -> str:
    change_webhook_endpoint(endpoint=view.id, enabled=False, actor=_actor(request), reason=reason)
    return _("It is switched off.")


def _delete(request: HttpRequest, view: EndpointView, reason: str) -> str:
    delete_webhook_endpoint(endpoint=view.id, actor=_actor(request), reason=reason)
    return _("It is deleted.")


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"
