"""What pages of the console have in common: rows that are only read, and forms whose saving is a use case."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirect
from unfold.admin import ModelAdmin

from ledger.errors import Refusal


class ReadOnly:
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


class ThroughService(ModelAdmin):  # type: ignore[misc]
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
                        self.add_error(refusal.param if refusal.param in self.fields else None, str(refusal))

        return Submitted

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
