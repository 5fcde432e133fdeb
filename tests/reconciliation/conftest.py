"""The shop and its bank, for what goes wrong between the two."""

from tests.checkout.conftest import bank as bank
from tests.checkout.conftest import mail_in_memory as mail_in_memory
