"""What pages of the console have in common: rows that are only read, and forms whose saving is a use case."""

from typing import Any, cast

from django.contrib import messages
from django.db.models import Field
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from ledger.errors import Refusal
from ledger.wording import in_words, said


class Record:
    """A row as people call it: by its number, with its state in words. `__str__` is for logs."""

    @display(description=_("Record number"))
    def public_id(self, row: Any) -> str:
        return str(row.public_id)

    def title_of(self, row: Any) -> str:
        """What heads its page."""
        name = getattr(row, "public_id", None) or str(row)
        state = getattr(row, "state", None)
        return f"{name} · {in_words(state)}" if state else str(name)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        if row := context.get("original"):
            context["subtitle"] = self.title_of(row)
        context["show_history"] = False  # that of the console; the audit journal has it
        answer: HttpResponse = super().render_change_form(request, context, *args, **options)  # type: ignore[misc]
        return answer


class ReadOnly(Record):
    """Nobody adds, changes or deletes here, whatever permissions they hold: rows are written by use cases."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_per_page = 50
    show_full_result_count = False


class ThroughService(Record, ModelAdmin):  # type: ignore[misc]
    """A form whose saving is one call of a use case, which has its own transaction and its own audit entry.

    What the use case refuses is said at the field that it names, and what was typed stays.
    """

    show_full_result_count = False
    list_per_page = 50

    def call(self, obj: Any, given: dict[str, Any], actor: str) -> str:
        """What to say of it, or "" for the console's own words. May raise a `Refusal`."""
        raise NotImplementedError

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        base: Any = super().get_form(request, obj, change=change, **options)
        call, actor = self.call, f"user:{request.user.pk}"

        class Submitted(base):  # type: ignore[misc]
            def _post_clean(self) -> None:
                super()._post_clean()
                if not self.errors:
                    try:
                        self.instance.said = call(self.instance, self.cleaned_data, actor)
                    except Refusal as refusal:
                        field = refusal.param if refusal.param in self.fields else None
                        self.add_error(field, said(refusal.message))

        return Submitted

    def formfield_for_choice_field(
        self, db_field: Field[Any, Any], request: HttpRequest, **options: Any
    ) -> Any:
        """Codes are chosen by their words."""
        options["choices"] = [
            (code, in_words(str(said)) if said == code else said) for code, said in db_field.get_choices()
        ]
        return super().formfield_for_choice_field(db_field, request, **options)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Without the admin's own transaction."""
        return cast(HttpResponse, self._changeform_view(request, object_id, form_url, extra_context))

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        return form.instance

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The use case has written it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing hangs on these rows."""

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        if not obj.said:
            return cast(HttpResponse, super().response_add(request, obj, post_url_continue))
        messages.success(request, obj.said)
        return HttpResponseRedirect("../")

    def log_addition(self, request: HttpRequest, obj: object, message: object) -> None:
        """The audit journal has it."""

    def log_change(self, request: HttpRequest, obj: object, message: object) -> None:
        """The audit journal has it."""
