"""WeChat Pay v3: signed API, sealed notifications, and the wallet that a phone shows after the scan."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import BaseRoute

from sandbox import keys, wallet
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, Trouble, World
from sandbox.wechat import api, bills, control, orders, platform_keys, refunds, signing

# what WeChat Pay says itself when it is not well: status → code and message
_TROUBLES = {
    500: ("SYSTEM_ERROR", "系统错误，请使用相同参数重新调用"),
    429: ("FREQUENCY_LIMITED", "频率超限"),
}


class Wechat(Provider):
    channel = "wechat"
    api_paths = ("/wechat/v3/*", "/v3/*")
    schema = orders.SCHEMA + refunds.SCHEMA + signing.SCHEMA + platform_keys.SCHEMA + bills.SCHEMA
    movements = bills.MOVEMENTS
    statements = bills.STATEMENTS
    pays_out = bills.PAYS_OUT
    retry_schedule = (
        *(15, 15, 30, 180, 600, 1200, 1800, 1800),
        *(1800, 3600, 10800, 10800, 10800, 21600, 21600),
    )

    def prepare(self, world: World) -> None:
        platform_keys.private_pem(world)
        platform_keys.key_id(world)

    def routes(self, world: World) -> list[BaseRoute]:
        shown = wallet.Wallet("wechat", orders.payment_with_code, _back)
        return [*api.routes(world), *control.routes(world), *wallet.routes(world, shown)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = asked.get("wechat") or {}
        if orders.account_of(world, merchant=merchant) is None:
            world.storage.run(
                "INSERT INTO wechat_accounts (merchant, appid, mchid, serial, api_v3_key)"
                " VALUES (?, ?, ?, ?, ?)",
                *(merchant, "wx" + secrets.token_hex(8), f"16{secrets.randbelow(10**8):08d}"),
                *(secrets.token_hex(20).upper(), secrets.token_hex(16)),
            )
        if pem := given.get("merchant_public_key"):
            keys.public_key(pem)
            world.storage.run("UPDATE wechat_accounts SET public_key = ? WHERE merchant = ?", pem, merchant)
        account = orders.account_of(world, merchant=merchant)
        assert account is not None
        return {
            "appid": account.appid,
            "mchid": account.mchid,
            "merchant_serial": account.serial,
            "api_v3_key": account.api_v3_key,
            "public_key_id": platform_keys.key_id(world),
            "public_key": keys.public_pem(platform_keys.private_pem(world)),
        }

    def act(self, world: World, payment: Payment, action: str) -> None:
        if action == "scan":
            if payment.state != "waiting":
                raise ActionRefused(f"the payment is {payment.state}")
        elif action == "pay":
            orders.pay(world, payment)
        elif action == "decline":
            if payment.state != "waiting":
                raise ActionRefused(f"the payment is {payment.state}")
            orders.close(world, payment, "failed")
        elif action == "expire":
            orders.expire(world, payment)
        else:
            raise ActionRefused(f"WeChat Pay knows no {action!r}")

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        told = json.loads(delivery.content)
        account = orders.account_of(world, merchant=delivery.merchant)
        assert account is not None
        envelope = {
            "id": told["id"],
            "create_time": told["create_time"],
            "resource_type": "encrypt-resource",
            "event_type": told["event_type"],
            "summary": told["summary"],
            "resource": signing.sealed(told["plain"], account.api_v3_key, told["kind"]),
        }
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        signed = signing.signature_headers(world, body, merchant=delivery.merchant, what="notices")
        return SignedRequest({"Content-Type": "application/json", **signed}, body)

    def keep_appointment(self, world: World, payment: Payment, deed: str, content: str) -> None:
        refunds.keep_appointment(world, payment, deed, content)

    def mark(self, world: World, merchant: str) -> str:
        account = orders.account_of(world, merchant=merchant)
        return account.mchid if account else ""

    def trouble(self, world: World, status: int, path: str, text: str) -> Trouble | None:
        mchid = re.search(r'mchid="(\d+)"', text)
        account = orders.account_of(world, mchid=mchid.group(1)) if mchid else None
        if status not in _TROUBLES or account is None:
            return None
        code, message = _TROUBLES[status]
        body = json.dumps({"code": code, "message": message}, ensure_ascii=False).encode("utf-8")
        return Trouble(
            status, body, headers=signing.signature_headers(world, body, merchant=account.merchant)
        )

    def for_merchant(self, world: World, delivery: Delivery, merchant: str) -> Delivery | None:
        return replace(delivery, merchant=merchant)

    def contradiction(self, world: World, delivery: Delivery) -> tuple[str, str, str] | None:
        """The same event with a state from before the money came."""
        told = json.loads(delivery.content)
        if told["event_type"] != "TRANSACTION.SUCCESS":
            return None
        told["id"] = f"EV-{secrets.token_hex(16)}"
        told["plain"] |= {"trade_state": "NOTPAY", "trade_state_desc": orders.STATE_WORDS["NOTPAY"]}
        return told["id"], told["event_type"], json.dumps(told, ensure_ascii=False)


def _back(world: World, payment: Payment, request: Request) -> str:
    """Where an h5 page was told to return to; a code that was scanned has no such place."""
    address = request.query_params.get("redirect_url", "")
    return address if urlsplit(address).scheme in ("http", "https") else ""
