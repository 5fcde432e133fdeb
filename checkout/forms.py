"""What customers fill in. A form says which field is wrong and what to do; the services decide all else."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import phonenumbers
from babel import Locale
from django import forms
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _

from checkout.facts import MAX_QUANTITY, Address
from checkout.pricing import REGIONS
from checkout.selectors import OrderLeft
from ledger.money import Money
from payments.selectors import offered_methods
from payments.states import PaymentMethod, RefundCause
from payments.vault import SavedMethodView

_FIRST = "CN"
_POSTAL_CODES = {"CN": r"\d{6}", "US": r"\d{5}(-\d{4})?", "JP": r"\d{3}-?\d{4}", "SG": r"\d{6}"}
_CARD_NUMBER = re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)")
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def countries() -> list[tuple[str, str]]:
    """Where we deliver, in the reader's language: home first, the rest by name."""
    names = Locale.parse(to_locale(get_language() or "en")).territories
    return sorted(((code, names[code]) for code in REGIONS), key=lambda place: (place[0] != _FIRST, place[1]))


def no_card_number(text: str) -> None:
    """Refuse what looks like a card number: one must never reach our database or logs, not even in an address."""
    for found in _CARD_NUMBER.findall(text):
        digits = [int(character) for character in reversed(found) if character.isdigit()]
        if (sum(digits[::2]) + sum(_LUHN_DOUBLED[digit] for digit in digits[1::2])) % 10 == 0:
            raise forms.ValidationError(_("Card numbers belong into the card fields only. Remove it here."))


class PageForm(forms.Form):
    """A form whose wrong fields are announced: `aria-invalid`, and a description that holds help and error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = True
        for name, field in self.fields.items():
            described = [f"{name}-error"] if not field.help_text else [f"{name}-help", f"{name}-error"]
            field.widget.attrs["aria-describedby"] = " ".join(described)
            if missing := field.error_messages.get("required"):
                field.widget.attrs["data-missing"] = str(missing)

    def problems(self) -> list[str]:
        return [str(message) for messages in self.errors.values() for message in messages]


class CartLineForm(PageForm):
    """One article and how many; `step` is what the − and + buttons send, `remove` the bin."""

    sku = forms.CharField(max_length=64)
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MAX_QUANTITY,
        required=False,
        error_messages={
            "invalid": _("Choose a whole number from 1 to 999."),
            "min_value": _("Choose a whole number from 1 to 999. To take an article out, use Remove."),
            "max_value": _("Choose a whole number from 1 to 999."),
        },
    )
    step = forms.IntegerField(min_value=-1, max_value=1, required=False)
    remove = forms.BooleanField(required=False)

    def clean_quantity(self) -> int:
        return self.cleaned_data["quantity"] or 1

    def wanted(self) -> int:
        if self.cleaned_data["remove"]:
            return 0
        wanted: int = self.cleaned_data["quantity"] + (self.cleaned_data["step"] or 0)
        return wanted


class PayForm(PageForm):
    """How to pay. `instrument` is the token that the provider's card fields gave; never a number."""

    method = forms.ChoiceField(
        choices=[
            (PaymentMethod.CARD, _("Card")),
            (PaymentMethod.ALIPAY, _("Alipay")),
            (PaymentMethod.WECHAT_PAY, _("WeChat Pay")),
            (PaymentMethod.UNIONPAY, _("UnionPay")),
            (PaymentMethod.E_CNY, _("Digital RMB")),
            (PaymentMethod.BANK_TRANSFER, _("Bank transfer")),
            (PaymentMethod.CRYPTO, _("Crypto")),
        ],
        error_messages={
            "required": _("Choose how to pay."),
            "invalid_choice": _("Choose one of the payment methods."),
        },
    )
    instrument = forms.CharField(max_length=200, required=False, validators=[no_card_number])
    keep = forms.BooleanField(required=False)

    def __init__(
        self,
        *args: Any,
        saved: Sequence[SavedMethodView] = (),
        short: Mapping[str, str] | None = None,
        blocked: str = "",
        **kwargs: Any,
    ) -> None:
        """`short` says by method why the customer's limits leave no room for this payment, `blocked` of all at once."""
        super().__init__(*args, **kwargs)
        self.saved = saved
        self.short = short or {}
        self.blocked = blocked
        method: Any = self.fields["method"]
        method.choices = [*method.choices, *((card.id, card.masked) for card in saved)]

    def offered(self) -> frozenset[str]:
        """The methods to show. One that went meanwhile is refused when the payment starts."""
        return offered_methods()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        chosen = data.get("method", "")
        data["saved_method"] = chosen if chosen in {card.id for card in self.saved} else ""
        if data["saved_method"]:
            data["method"] = PaymentMethod.CARD
        if data.get("method") in self.short:
            self.add_error("method", self.short[data["method"]])
        elif chosen == PaymentMethod.CARD and not data.get("instrument"):
            self.add_error("method", _("Enter the card details again, or choose another method."))
        data["keep"] = bool(data.get("keep")) and chosen == PaymentMethod.CARD
        return data


class CheckoutForm(PayForm):
    """Everything on the checkout page. `quote` is the signed price; it places one order at most."""

    quote = forms.CharField(max_length=4000, widget=forms.HiddenInput)
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("For the receipt and news of this order only."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": _("Enter your e-mail address."),
            "invalid": _("Enter an e-mail address like name@example.com."),
        },
    )
    country = forms.ChoiceField(
        label=_("Country or region"),
        choices=countries,
        widget=forms.Select(attrs={"autocomplete": "country"}),
        error_messages={
            "required": _("Choose a country or region."),
            "invalid_choice": _("Choose a country or region."),
        },
    )
    name = forms.CharField(
        label=_("Recipient's name"),
        max_length=100,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Enter the name of the person who receives the parcel.")},
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=30,
        help_text=_("The courier may call."),
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "type": "tel"}),
        error_messages={"required": _("Enter a phone number.")},
    )
    line1 = forms.CharField(
        label=_("Street and number"),
        max_length=200,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "address-line1"}),
        error_messages={"required": _("Enter the street and number.")},
    )
    line2 = forms.CharField(
        label=_("Flat, building, company"),
        max_length=200,
        required=False,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "address-line2"}),
    )
    city = forms.CharField(
        label=_("City"),
        max_length=100,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
        error_messages={"required": _("Enter the city.")},
    )
    region = forms.CharField(
        label=_("Province or state"),
        max_length=100,
        required=False,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "address-level1"}),
    )
    postal_code = forms.CharField(
        label=_("Postal code"),
        max_length=20,
        required=False,
        validators=[no_card_number],
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        country = data.get("country", "")
        pattern, postal_code = _POSTAL_CODES.get(country), data.get("postal_code", "")
        if pattern and postal_code and not re.fullmatch(pattern, postal_code.strip()):
            self.add_error("postal_code", _("Check the postal code: it does not fit this country."))
        if data.get("phone") and not _plausible_phone(data["phone"], country):
            self.add_error(
                "phone", _("Check the phone number; with another country's, start with + and its code.")
            )
        return data

    def address(self) -> Address:
        data = self.cleaned_data
        return Address(
            name=data["name"],
            phone=data["phone"],
            country=data["country"],
            region=data["region"],
            city=data["city"],
            line1=data["line1"],
            line2=data["line2"],
            postal_code=data["postal_code"].strip(),
        )


def _plausible_phone(text: str, country: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, country or None))
    except phonenumbers.NumberParseException:
        return False


def new_key() -> str:
    return uuid4().hex


class SavedMethodForm(PageForm):
    """A name for a kept card, and what it may pay."""

    label = forms.CharField(
        label=_("Name of the card"),
        max_length=60,
        required=False,
        validators=[no_card_number],
        help_text=_("Only you see it."),
    )
    single_limit = forms.DecimalField(label=_("At most in one payment"), required=False, min_value=0)
    daily_limit = forms.DecimalField(
        label=_("At most in 24 hours"),
        required=False,
        min_value=0,
        help_text=_("Leave a limit empty for none."),
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        for name in ("single_limit", "daily_limit"):
            self.fields[name].widget.attrs["inputmode"] = "decimal"
            self.fields[name].label = f"{self.fields[name].label} ({currency})"

    def limits(self) -> dict[str, Money | None]:
        return {name: self.cleaned_data[f"{name}_limit"] for name in ("single", "daily")}

    def clean_single_limit(self) -> Money | None:
        return self._money("single_limit")

    def clean_daily_limit(self) -> Money | None:
        return self._money("daily_limit")

    def _money(self, name: str) -> Money | None:
        entered = self.cleaned_data[name]
        try:
            return None if entered is None else Money.from_major(entered, self.currency)
        except ValueError as wrong:
            raise forms.ValidationError(_("Enter an amount like 12.50.")) from wrong


class RefundForm(PageForm):
    """Ask for money back, article by article. `key` makes a double click one request."""

    key = forms.CharField(min_length=16, max_length=64, initial=new_key, widget=forms.HiddenInput)
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[
            ("changed_mind", _("I changed my mind")),
            ("not_received", _("It has not arrived")),
            ("damaged", _("It is damaged or not as described")),
            ("other", _("Something else")),
        ],
        error_messages={"required": _("Choose a reason."), "invalid_choice": _("Choose a reason.")},
    )

    def __init__(self, *args: Any, left: OrderLeft, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left = {line.sku: line.quantity for line in left.lines}
        locale = get_language() or "en"
        for line in left.lines:
            # What was sent twice may name more than is left now: the use case knows it by its key.
            self.fields[f"take_{line.sku}"] = forms.IntegerField(
                label=f"{line.title(locale)} ({line.amount.formatted(to_locale(locale))})",
                min_value=0,
                max_value=line.ordered,
                initial=line.quantity,
                required=False,
                widget=forms.Select(
                    choices=[(n, str(n)) for n in range(line.quantity, -1, -1)],
                    attrs={"aria-describedby": f"take_{line.sku}-error"},
                ),
                error_messages=dict.fromkeys(
                    ("invalid", "min_value", "max_value"), _("Choose how many of those that are left.")
                ),
            )

    def articles(self) -> list[forms.BoundField]:
        return [self[f"take_{sku}"] for sku, quantity in self._left.items() if quantity]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if any(self._left.values()) and not self.errors and not any(self._chosen(data).values()):
            raise forms.ValidationError(_("Choose at least one article to refund."))
        return data

    def lines(self) -> dict[str, int] | None:
        """So many by SKU; None when everything that is left was chosen."""
        chosen = self._chosen(self.cleaned_data)
        return None if chosen == self._left else {sku: number for sku, number in chosen.items() if number}

    def _chosen(self, data: dict[str, Any]) -> dict[str, int]:
        return {sku: data.get(f"take_{sku}") or 0 for sku in self._left}


class OperatorRefundForm(forms.Form):
    """So many of each article and perhaps the shipping, or an amount; nothing of it means all that is left."""

    key = forms.CharField(min_length=16, max_length=64, initial=new_key, widget=forms.HiddenInput)
    shipping = forms.BooleanField(required=False)
    amount = forms.DecimalField(required=False)
    restock = forms.BooleanField(required=False)
    reason = forms.CharField(max_length=300)
    cause = forms.ChoiceField(required=False, choices=[("", ""), *((one, one) for one in RefundCause)])

    def __init__(self, *args: Any, left: OrderLeft, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._currency = currency
        self._skus = [line.sku for line in left.lines]
        for line in left.lines:
            self.fields[f"take_{line.sku}"] = forms.IntegerField(
                min_value=0, max_value=line.ordered, required=False
            )

    def clean_amount(self) -> Money | None:
        entered = self.cleaned_data["amount"]
        try:
            return None if entered is None else Money.from_major(entered, self._currency)
        except ValueError as wrong:
            raise forms.ValidationError(_("Enter an amount like 12.50.")) from wrong

    def lines(self) -> dict[str, int]:
        chosen = {sku: self.cleaned_data.get(f"take_{sku}") or 0 for sku in self._skus}
        return {sku: number for sku, number in chosen.items() if number}
