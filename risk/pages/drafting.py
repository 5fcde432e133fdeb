"""The editor of rules: what it may name, tried on stored decisions before it is saved, wrong rules shown in place."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.admin import site
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from ledger.errors import Refusal
from ledger.sentences import Sentence
from ledger.wording import in_words, said
from risk import policies, trials
from risk.expectations import Checked, checked
from risk.models import Policy
from risk.pages.showing import DRAFT, actor, matrix, moves, percent, require, threshold_titles
from risk.rules import PolicyDocument, Thresholds
from risk.services.draft_policy import draft_policy
from risk.states import Action, PolicyState

_MOST_RULES = 100
_BEFORE_MARK = 16  # characters of a line: the mark is seen on a phone without moving the line
_MOST = {"verify_device_from": 10**12}  # an amount


class RuleForm(forms.Form):
    fault: Mapping[str, str] = {}  # where the expression is wrong, as the page marks it

    id = forms.SlugField(max_length=60, label=gettext_lazy("Rule"), widget=UnfoldAdminTextInputWidget)
    expression = forms.CharField(
        max_length=2000,
        label=gettext_lazy("Fires when"),
        widget=UnfoldAdminTextareaWidget({"rows": 2, "data-expression": "", "spellcheck": "false"}),
    )
    weight = forms.IntegerField(
        min_value=-100, max_value=100, label=gettext_lazy("Weight"), widget=UnfoldAdminIntegerFieldWidget
    )
    action = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "–"), *((one, in_words(one)) for one in Action if one != Action.ACCEPT)],
        label=gettext_lazy("At least"),
        widget=UnfoldAdminSelectWidget,
    )
    en = forms.CharField(
        max_length=300, label=gettext_lazy("Reason, English"), widget=UnfoldAdminTextInputWidget
    )
    zh = forms.CharField(
        max_length=300, label=gettext_lazy("Reason, Chinese"), widget=UnfoldAdminTextInputWidget
    )
    owner = forms.CharField(
        required=False,
        max_length=80,
        label=gettext_lazy("Owner (empty: you)"),
        widget=UnfoldAdminTextInputWidget,
    )
    expires_on = forms.DateField(
        required=False,
        label=gettext_lazy("Last day (empty: none)"),
        widget=UnfoldAdminTextInputWidget({"type": "date"}),
    )


_Rules = formset_factory(
    RuleForm, extra=1, can_delete=True, max_num=_MOST_RULES, validate_max=True, absolute_max=_MOST_RULES + 1
)


class DocumentForm(forms.Form):
    name = forms.SlugField(max_length=40, label=gettext_lazy("Name"), widget=UnfoldAdminTextInputWidget)
    note = forms.CharField(
        max_length=300, label=gettext_lazy("What it is for"), widget=UnfoldAdminTextInputWidget
    )
    limits = forms.JSONField(
        label=gettext_lazy("Limits by verification level (fen)"),
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
    )
    rates = forms.JSONField(
        label=gettext_lazy("CNY for one unit"), widget=UnfoldAdminTextareaWidget({"rows": 4})
    )
    model = forms.JSONField(
        required=False,
        label=gettext_lazy("Model, and its points by probability"),
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
    )
    more = forms.JSONField(
        required=False,
        label=gettext_lazy("What else stands beside the thresholds"),
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        titles = threshold_titles()
        for one in fields(Thresholds):
            self.fields[one.name] = forms.IntegerField(
                required=one.default is MISSING,
                min_value=0,
                max_value=_MOST.get(one.name, 9999),
                label=titles.get(one.name, one.name),
                widget=UnfoldAdminIntegerFieldWidget,
            )

    def clean_more(self) -> dict[str, Any]:
        more = self.cleaned_data["more"] or {}
        if not isinstance(more, dict):
            raise forms.ValidationError(_("Enter an object: names and values."))
        return more

    def thresholds(self) -> dict[str, Any]:
        """What is left empty is left out: it has a value of its own."""
        given = {one.name: self.cleaned_data[one.name] for one in fields(Thresholds)}
        kept = {name: value for name, value in given.items() if value is not None}
        return {**kept, **self.cleaned_data["more"]}


@site.admin_view
@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest) -> HttpResponse:
    require(request, DRAFT)
    base = _base(request)
    posted = request.POST or None
    head = DocumentForm(posted, initial=_head_of(base))
    rules: BaseFormSet[RuleForm] = _Rules(posted, initial=_rules_of(base), prefix="rules")
    for form in rules.forms:
        form.fields["DELETE"].widget = UnfoldBooleanSwitchWidget()
        form.fields["DELETE"].label = _("Leave out")
    tried, expected = None, list[Checked]()
    if posted and head.is_valid() and rules.is_valid():
        document = _document(head, rules, base, request.user.get_username())
        tried = _tried(document, head, rules)
        if tried is not None:
            expected = checked(policies.parse(**document), document["name"])
        if (
            tried is not None
            and request.POST.get("do") == "save"
            and (name := _saved(request, document, head))
        ):
            return redirect("risk-policy", policy=name)
    context = {
        **site.each_context(request),
        "title": _("Draft a policy"),
        "base": base,
        "head": head,
        "rules": rules,
        "named": _grouped(policies.named_fields()),
        "tried": tried,
        "share": percent(tried.figures["agreement"]) if tried else "",
        "fired": _fired(tried),
        "matrix": matrix(tried.figures) if tried else [],
        "moves": moves(tried.figures) if tried else [],
        "expected": expected,
        "unmet": [one for one in expected if not one.met],
    }
    wrong = bool(posted) and tried is None
    return render(request, "risk/draft.html", context, status=422 if wrong else 200)


def _grouped(named: Sequence[tuple[str, Sentence]]) -> list[tuple[str, list[tuple[str, Sentence]]]]:
    """Some hundreds of names, by what they are about."""
    return [(about, list(some)) for about, some in groupby(named, key=lambda one: one[0].partition(".")[0])]


def _base(request: HttpRequest) -> Policy | None:
    """What the draft starts from: the version that is named, or what decides now."""
    named = Policy.objects.named(request.GET.get("from", "")).first()
    return named or Policy.objects.filter(state=PolicyState.ACTIVE).first()


def _head_of(base: Policy | None) -> dict[str, Any]:
    if base is None:
        return {}
    known = {one.name for one in fields(Thresholds)}
    more = {name: value for name, value in base.thresholds.items() if name not in known}
    kept = {"limits": base.limits, "rates": base.rates, "model": base.model}
    return {"name": base.name, "more": more, **kept, **base.thresholds}


def _rules_of(base: Policy | None) -> list[dict[str, Any]]:
    rules = base.rules if base else []
    return [{**rule, "en": rule["message"]["en"], "zh": rule["message"]["zh"]} for rule in rules]


def _document(
    head: DocumentForm, rules: BaseFormSet[RuleForm], base: Policy | None, person: str
) -> dict[str, Any]:
    before = {rule["id"]: rule for rule in (base.rules if base else [])}
    kept = [form.cleaned_data for form in rules.forms if form.cleaned_data.get("id")]
    given = head.cleaned_data
    return {
        "name": given["name"],
        "rules": [_rule(one, before.get(one["id"]), person) for one in kept if not one.get("DELETE")],
        "thresholds": head.thresholds(),
        "limits": given["limits"],
        "rates": given["rates"],
        "model": given["model"] or None,
    }


def _rule(given: Mapping[str, Any], before: Mapping[str, Any] | None, person: str) -> dict[str, Any]:
    """A rule that says something else than before is another version of it; another owner says nothing else."""
    said = {
        "id": given["id"],
        "expression": given["expression"],
        "weight": given["weight"],
        "action": given["action"],
        "message": {"en": given["en"], "zh": given["zh"]},
    }
    if given["expires_on"]:
        said["expires_on"] = given["expires_on"].isoformat()
    version = before["version"] if before else 1
    known = {name: value for name, value in (before or {}).items() if name not in ("version", "owner")}
    changed = before is not None and said != known
    return {**said, "version": version + changed, "owner": given["owner"].strip() or person}


def _tried(document: dict[str, Any], head: DocumentForm, rules: BaseFormSet[RuleForm]) -> trials.Trial | None:
    try:
        parsed: PolicyDocument = policies.parse(**document)
    except Refusal as refusal:
        _point_at(refusal, head, rules)
        return None
    return trials.try_out(parsed)


def _point_at(refusal: Refusal, head: DocumentForm, rules: BaseFormSet[RuleForm]) -> None:
    """The error where it was made: at the rule's field, or the document's."""
    for form in rules.forms:
        if form.cleaned_data.get("id") == refusal.param:
            form.fault = _marked(form.cleaned_data["expression"], **refusal.context)
            form.add_error("en" if "message" in str(refusal) else "expression", said(refusal.message))
            return
    head.add_error(refusal.param if refusal.param in head.fields else None, said(refusal.message))


def _marked(expression: str, *, line: int = 0, column: int = 0, detail: str = "") -> dict[str, str]:
    """The line that is wrong with a mark under the place, and what the parser says where we have no words."""
    lines = expression.split("\n")
    if not 0 < line <= len(lines):
        return {"detail": detail}
    start = max(column - 1 - _BEFORE_MARK, 0)
    cut = "…" if start else ""
    mark = " " * (len(cut) + column - 1 - start) + "^"
    return {"line": cut + lines[line - 1][start:], "mark": mark, "column": str(column), "detail": detail}


def _saved(request: HttpRequest, document: dict[str, Any], head: DocumentForm) -> str:
    try:
        return draft_policy(**document, actor=actor(request), note=head.cleaned_data["note"])
    except Refusal as refusal:
        head.add_error(None, said(refusal.message))
        return ""


def _fired(tried: trials.Trial | None) -> list[tuple[str, int, int]]:
    """Rule, on how many decisions it fires, and on how many it alone makes the difference; the most first."""
    if tried is None:
        return []
    found = [(rule, count, tried.lonely.get(rule, 0)) for rule, count in tried.fired.items()]
    return sorted(found, key=lambda one: -one[1])
