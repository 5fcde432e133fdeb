"""What waits for a second person's approval."""

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from reconciliation.admin.showing import APPROVE, VIEW, actor, names, require
from reconciliation.cases import repairs_waiting
from reconciliation.wording import REPAIRS


@site.admin_view
@require_safe
def approvals(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    waiting = repairs_waiting()
    people = names(one.proposed_by for one in waiting)
    context = {
        **site.each_context(request),
        "title": _("Repairs to approve"),
        "rows": [
            (one, REPAIRS[one.kind], people[one.proposed_by], one.proposed_by == actor(request))
            for one in waiting
        ],
        "may_approve": request.user.has_perm(APPROVE),
    }
    return render(request, "reconciliation/repairs_waiting.html", context)
