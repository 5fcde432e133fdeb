"""The queue of disputes, deadline first, and the page on which one is answered."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from ledger.errors import Refusal
from ledger.wording import in_words
from payments import disputes, selectors
from payments.disputes import DisputeView
from payments.errors import DisputeNotFound, EvidenceFileNotFound
from payments.evidence import FILES, LONGEST_FILE, TEXTS, in_order
from payments.services.accept_dispute import accept_dispute
from payments.services.add_evidence_file import add_evidence_file
from payments.services.draft_evidence import draft_evidence
from payments.services.gather_evidence import gather_evidence
from payments.services.prepare_evidence import prepare_evidence
from payments.services.refresh_dispute import refresh_dispute
from payments.services.remove_evidence_file import remove_evidence_file
from payments.services.submit_evidence import submit_evidence
from payments.states import DisputeState

VIEW, DRAFT, SETTLE = "payments.view_dispute", "payments.draft_dispute", "payments.settle_dispute"


@site.admin_view
@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    context = {
        **site.each_context(request),
        "title": _("Disputes"),
        "waiting": disputes.waiting(),
        "at_stake": disputes.at_stake(),
        "at_bank": disputes.at_bank(),
        "closed": disputes.closed(),
    }
    return render(request, "payments/dispute_queue.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, dispute: str) -> HttpResponse:
    _require(request, VIEW)
    view = _found(dispute)
    if request.method == "POST":
        return _do(request, view)
    kept = {file.kind: file for file in view.files}
    # What was never saved is shown as our records have it.
    texts = view.texts or (gather_evidence(dispute=view.id).texts if view.can_answer else {})
    fields = [
        (name, label, texts.get(name, ""), matters) for name, label, matters in in_order(view.category, TEXTS)
    ]
    context = {
        **site.each_context(request),
        "title": _("Dispute"),
        "dispute": view,
        "payment": selectors.payment(view.payment),
        "refunds": selectors.refunds_of(view.payment),
        "texts": [field for field in fields if field[2] or field[3]],
        "more": [field for field in fields if not field[2] and not field[3]],
        "saved": bool(view.texts),
        "files": [
            (kind, label, kept.get(kind), matters) for kind, label, matters in in_order(view.category, FILES)
        ],
        "journal": [(posted, entry) for posted in disputes.journal_of(view) for entry in posted.entries],
        "may_draft": request.user.has_perm(DRAFT) and view.can_answer,
        "may_settle": request.user.has_perm(SETTLE) and view.can_answer,
        "inquiry": view.state == DisputeState.WARNING,
    }
    return render(request, "payments/dispute.html", context)


@site.admin_view
@require_GET
def file(request: HttpRequest, dispute: str, kind: str) -> HttpResponse:
    _require(request, VIEW)
    try:
        view, content = disputes.file_content(dispute, kind)
    except (DisputeNotFound, EvidenceFileNotFound) as problem:
        raise Http404(str(problem)) from problem
    # Never shown inside the console's own origin: it came from somebody's computer.
    headers = {"Content-Disposition": f'attachment; filename="{kind}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=view.content_type, headers=headers)


def _do(request: HttpRequest, view: DisputeView) -> HttpResponse:
    known: dict[str, tuple[str, Callable[[HttpRequest, DisputeView], str]]] = {
        "refresh": (VIEW, _refresh),
        "draft": (DRAFT, _draft),
        "prepare": (DRAFT, _prepare),
        "upload": (DRAFT, _upload),
        "remove": (DRAFT, _remove),
        "submit": (SETTLE, _submit),
        "accept": (SETTLE, _accept),
    }
    right, act = known.get(request.POST.get("do", ""), ("", None))
    if act is None:
        raise Http404("No such action.")
    _require(request, right)
    try:
        messages.info(request, act(request, view))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("dispute", dispute=view.id)


def _refresh(request: HttpRequest, view: DisputeView) -> str:
    state = refresh_dispute(dispute=view.id).state
    return _("The provider says: %(state)s.") % {"state": in_words(state)}


def _draft(request: HttpRequest, view: DisputeView) -> str:
    draft_evidence(dispute=view.id, texts=_texts(request), actor=_actor(request))
    return _("The draft is saved. Nothing was sent.")


def _prepare(request: HttpRequest, view: DisputeView) -> str:
    draft_evidence(dispute=view.id, texts=_texts(request), actor=_actor(request))
    prepare_evidence(dispute=view.id, actor=_actor(request))
    return _("What was empty is filled in from our records. Nothing was sent.")


def _upload(request: HttpRequest, view: DisputeView) -> str:
    upload = request.FILES.get("file")
    content = upload.read(LONGEST_FILE + 1) if upload else b""
    add_evidence_file(
        dispute=view.id,
        kind=request.POST.get("kind", ""),
        name=str(upload.name) if upload else "",
        content=content,
        actor=_actor(request),
    )
    return _("The file is kept with the draft. Nothing was sent.")


def _remove(request: HttpRequest, view: DisputeView) -> str:
    remove_evidence_file(dispute=view.id, kind=request.POST.get("kind", ""), actor=_actor(request))
    return _("The file is removed.")


def _submit(request: HttpRequest, view: DisputeView) -> str:
    draft_evidence(dispute=view.id, texts=_texts(request), actor=_actor(request))
    if not request.POST.get("final"):
        return _("The draft is saved and nothing was sent: confirm that the answer is final, then submit.")
    answer = submit_evidence(dispute=view.id, actor=_actor(request)).answer
    return _("The answer: %(state)s. %(message)s") % _outcome(answer)


def _accept(request: HttpRequest, view: DisputeView) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason or not request.POST.get("final"):
        return _("Nothing was done: say why, and confirm that accepting is final.")
    answer = accept_dispute(dispute=view.id, actor=_actor(request), reason=reason).answer
    return _("The answer: %(state)s. %(message)s") % _outcome(answer)


def _outcome(answer: disputes.MovementView | None) -> dict[str, str]:
    told = {
        "SUCCEEDED": _("the bank has it"),
        "UNKNOWN": _("no clear word from the provider yet; it is asked by itself"),
        "FAILED": _("refused by the provider"),
    }
    state = answer.state if answer else ""
    return {"state": told.get(state, state), "message": answer.message if answer else ""}


def _texts(request: HttpRequest) -> dict[str, str]:
    return {name: request.POST[name] for name in TEXTS if name in request.POST}


def _found(dispute: str) -> DisputeView:
    try:
        return disputes.dispute(dispute)
    except DisputeNotFound as problem:
        raise Http404(str(problem)) from problem


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _actor(request: HttpRequest) -> Any:
    return f"user:{request.user.pk}"
