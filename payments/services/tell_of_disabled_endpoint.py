from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage


def tell_of_disabled_endpoint(*, event: str, url: str, reason: str, created_by: str) -> None:
    """This will mail whoever made the endpoint, and the addresses of `OPERATIONS_EMAILS`, that it hears nothing more.

    No transaction. A second time it sends the same letter with the same Message-ID.
    """
    receivers = list(settings.OPERATIONS_EMAILS)
    kind, _, key = created_by.partition(":")
    if kind == "user":
        receivers += get_user_model().objects.filter(pk=key).exclude(email="").values_list("email", flat=True)
    if not receivers:
        return
    EmailMessage(
        subject="A webhook endpoint was switched off",
        body=(
            f"We stopped sending webhooks to {url}: {reason}.\n\n"
            f"Mend it, switch it on at {settings.PUBLIC_URL}/console/payments/webhooks/ and replay what it missed.\n"
        ),
        to=sorted(set(receivers)),
        headers={"Message-ID": f"<{event}@{settings.PUBLIC_URL.partition('://')[2].partition(':')[0]}>"},
    ).send()
