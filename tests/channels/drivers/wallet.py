"""What both wallets' drivers share: a merchant key, PEM files, and a customer with a phone."""

import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from payments.channels.contract import StartRequest
from tests.channels.drivers import Driver
from tests.channels.world import STRANGER, Receiver, Sandbox


def new_key() -> RSAPrivateKey:
    """Half the providers' length: twenty times as fast to make."""
    return generate_private_key(public_exponent=65537, key_size=1024)


def private_pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class WalletDriver(Driver):
    """`merchant` names another account, whose notifications arrive at a place of their own."""

    def __init__(self, sandbox: Sandbox, receiver: Receiver, merchant: str = "contract") -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.key = new_key()
        self.merchant = f"{self.code} {merchant}"
        super().__init__(sandbox, receiver)
        if merchant != "contract":
            self.notify_path += f"/{merchant}"
            receiver.answers[self.notify_path] = self.channel.acknowledge()

    def file(self, name: str, content: str) -> str:
        """The path of a file with this content."""
        path = Path(self.folder.name) / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def open(self, address: str) -> int:
        """The status of the page that the customer's phone ends up on."""
        return STRANGER.get(address, follow_redirects=True).status_code

    def start_request(
        self, amount: int = 10_000, *, capture: bool = True, instrument: str = ""
    ) -> StartRequest:
        """Wallets take the money at once: `capture` has no meaning for them."""
        return super().start_request(amount, capture=True, instrument=instrument)

    def customer_opens(self, start: StartRequest) -> None:
        self.sandbox.act(start.reference, "scan")
