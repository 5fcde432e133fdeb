from typing import cast

from django.db import IntegrityError, connection, transaction

from payments.channels import registry
from payments.channels.contract import Capability, ChannelUnavailable, InstrumentVault
from payments.errors import ChannelNotReachable, CustomerUnknown, MethodUnavailable
from payments.models import CustomerVault


def open_customer(*, customer: str, channel: str) -> None:
    """This will see to it that `customer` has a vault, and a name at the channel to keep cards under.

    Opens its own transactions around the call, whose key is the vault's own: after an unclear answer the next try
    asks for the same name. Raises `CustomerUnknown`, `ChannelNotReachable`, `MethodUnavailable`.
    """
    assert not connection.in_atomic_block, "no provider is called inside a transaction"
    if not customer:
        raise CustomerUnknown("Sign in to keep a card.", param="keep_instrument")
    if Capability.SAVED_INSTRUMENT not in registry.channel(channel).capabilities:
        raise MethodUnavailable("Cards can not be kept here; pay without.", param="keep_instrument")
    vault = _vault_of(customer)
    if channel in vault.channels:
        return
    desk = cast(InstrumentVault, registry.channel(channel))
    try:
        # The provider learns our name for the vault, not the customer's number.
        token = desk.open_customer(key=f"{vault.public_id}:{channel}", reference=vault.public_id)
    except ChannelUnavailable as error:
        raise ChannelNotReachable("The card service does not answer; no money moved, try again.") from error
    with transaction.atomic(durable=True):
        vault = CustomerVault.objects.locked().get(pk=vault.pk)
        if channel not in vault.channels and not vault.erased_at:
            vault.name_at(channel, token)
            vault.store()


def _vault_of(customer: str) -> CustomerVault:
    if found := CustomerVault.objects.of(customer).first():
        return _still_kept(found)
    try:
        with transaction.atomic(durable=True):
            return CustomerVault.objects.create(customer=customer)
    except IntegrityError:
        return _still_kept(CustomerVault.objects.of(customer).get())


def _still_kept(vault: CustomerVault) -> CustomerVault:
    if vault.erase_asked_at:
        raise MethodUnavailable(
            "Cards can not be kept while the earlier ones are erased.", param="instrument"
        )
    return vault
