"""Refusals in the reader's language, by their stable code; one without a translation speaks for itself."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ledger.errors import Refusal

_WORDS: dict[str, Promise] = {
    "cart_empty": _("Your cart is empty. Put something into it first."),
    "cart_too_large": _("One order holds at most 50 different articles. Remove some from the cart."),
    "quantity_invalid": _("Choose a whole number from 1 to 999."),
    "sku_unknown": _("An article is no longer for sale. Remove it from the cart."),
    "currencies_mixed": _("Articles in different currencies need separate orders."),
    "region_not_served": _("We do not deliver there yet. Choose another country or region."),
    "email_invalid": _("Enter an e-mail address like name@example.com."),
    "quote_tampered": _(
        "This page was out of date. Check the total below and pay again; nothing was charged."
    ),
    "quote_expired": _("The price was held for a while and has lapsed. Check the total below and pay again."),
    "quote_stale": _("The price has changed. Check the new total below and pay again; nothing was charged."),
    "out_of_stock": _("There are not enough left of an article. Change the quantity in the cart."),
    "purchase_limit_exceeded": _("An article is limited per customer. Lower the quantity in the cart."),
    "customer_limit_reached": _(
        "This is more than your account may pay at once, today or this month. Nothing was charged."
        " Order less, or write to us."
    ),
    "coupon_unknown": _("There is no such coupon, or it has ended. Check the code."),
    "coupon_used": _("You have used this coupon before. Take it out of the cart."),
    "order_rejected": _(
        "We cannot accept this order. Nothing was charged. Write to us if you think this is wrong."
    ),
    "device_frozen": _(
        "This device is frozen, so nothing can be paid from it. Nothing was charged; write to us."
    ),
    "device_not_found": _("This device is not in your list any more."),
    "device_not_frozen": _("This device is not frozen, or we froze it: then write to us."),
    "device_not_trusted": _(
        "Unfreeze it from another device that you have used here for a day, or write to us."
    ),
    "freeze_reason_missing": _("Say why."),
    "order_not_payable": _("This order can no longer be paid. Nothing was charged; you can order again."),
    "order_not_cancellable": _(
        "This order can no longer be cancelled. If it is paid, ask for a refund instead."
    ),
    "order_not_reopenable": _("This order cannot be opened again. Its articles are in your cart now."),
    "order_not_refundable": _("There is nothing left to refund on this order."),
    "payment_outcome_unknown": _(
        "We are waiting to hear what became of the payment. Please do not pay again yet."
    ),
    "payment_in_progress": _("A payment for this order is already under way. Please wait a moment."),
    "payment_already_succeeded": _("This order is already paid. Nothing more was charged."),
    "payment_still_open": _("Another payment for this order is still open. Please wait a moment."),
    "method_unavailable": _("This payment method is not available right now. Choose another one."),
    "saved_method_not_found": _("This card is not kept any more. Choose another one; nothing was charged."),
    "saved_method_expired": _("This card has expired. Enter the new card; nothing was charged."),
    "saved_method_limit": _("This is more than the limit you set for the card. Choose another one."),
    "saved_method_limit_invalid": _(
        "A limit is more than zero, and the one for 24 hours not below the one for a payment."
    ),
    "customer_unknown": _("Sign in to keep cards and to pay with them."),
    "instrument_invalid": _("The card details could not be used. Enter the card again; nothing was charged."),
    "channel_not_reachable": _("The payment service did not answer. Nothing was charged; please try again."),
    "payment_not_refundable": _("Nothing was charged, so there is nothing to refund."),
    "refund_exceeds_captured": _("That is more than what is left to refund. Enter a smaller amount."),
    "lines_already_refunded": _("Some of it was refunded already. Reload the page to see what is left."),
    "refund_parts_invalid": _("Choose at least one article to refund."),
    "refund_limit_reached": _("This payment was refunded too often. Write to us, and we pay you by bank."),
    "refund_window_over": _("This was paid too long ago. Write to us, and we pay you by bank."),
    "challenge_answer_wrong": _("That is not right. Check it and try again."),
    "challenge_not_found": _("This payment does not wait for an answer any more."),
    "challenge_over": _("This payment does not wait for an answer any more."),
    "challenge_not_yours": _("Go on in the browser in which you began to pay, or choose another way to pay."),
    "challenge_kind_unavailable": _("This way to confirm is not possible here. Choose another one."),
    "passkey_refused": _("The passkey could not be added. Nothing was changed; try again."),
    "refund_key_reused": _("This refund was already requested with another amount. Reload the page first."),
}


def words(refusal: Refusal) -> str:
    return str(_WORDS.get(refusal.code, str(refusal)))
