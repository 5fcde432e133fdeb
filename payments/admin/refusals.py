"""Why nothing was done with a risk case, in the language of who pressed the button."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ledger.errors import Refusal
from ledger.wording import said

# By code, or by code and input.
_WORDS: dict[str, Promise] = {
    "case_not_found": _("There is no such case."),
    "case_already_decided": _("Somebody decided this case before."),
    "case_claimed_by_another": _("A colleague took this case; take the next one."),
    "case_expired": _("Nobody decided in time, so the payment is given up. The customer may pay again."),
    "case_needs_senior": _("This case was escalated: a risk manager decides it."),
    "case_is_own": _("You decided this payment the first time; the second look is a colleague's."),
    "case_holds_money": _("A payment waits for this case: decide it where the payment moves."),
    "challenge_kind_unavailable": _("This customer can not be asked this way."),
    "invalid_case_note": _("The note says nothing."),
    "invalid_list_entry:entity": _("This decision knew no such entity."),
    "invalid_list_entry:value": _("It is on this list already, or waits for a second person."),
    "review_not_found": _("No payment waits for this case."),
    "review_not_ready": _("The customer is still with their bank; decide when the money is authorised."),
}


def words(refusal: Refusal) -> str:
    """As it was raised where nobody put it into words here."""
    found = _WORDS.get(f"{refusal.code}:{refusal.param}") or _WORDS.get(refusal.code)
    return str(found or said(refusal.message))
