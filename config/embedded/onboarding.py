"""The merchant's account at the sandbox: our keys to it, its credentials into `<data>/sandbox.environment`.

Only where no live credential is set: a shop that meant to take real money must never reach play money instead.
"""

import os
from collections.abc import Mapping
from typing import Any

import httpx

from config.embedded.errors import CannotStart
from config.embedded.folder import DataFolder
from config.embedded.secrets import ensure_rsa_key, render

LIVE_CREDENTIALS = (
    *("STRIPE_SECRET_KEY", "ALIPAY_APP_ID", "WECHAT_MCHID", "UNIONPAY_MER_ID", "ECNY_MCH_ID"),
    *("BANK_TOKEN", "CRYPTO_API_KEY"),
)
_CHANNELS = ("stripe", "alipay", "wechat", "unionpay", "ecny", "bank", "crypto", "sms")


def live_credentials(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the live credentials that the person gave."""
    return [name for name in LIVE_CREDENTIALS if environment.get(name)]


def forget(folder: DataFolder) -> None:
    """Take the sandbox's credentials away, so that nothing of it mixes with live ones."""
    folder.sandbox_environment.unlink(missing_ok=True)


def onboard(folder: DataFolder, *, sandbox_url: str, public_url: str) -> None:
    """This will open or renew the account of our merchant at the sandbox, for this address of ours."""
    alipay_path, alipay_public = ensure_rsa_key(folder, "alipay-app")
    wechat_path, wechat_public = ensure_rsa_key(folder, "wechat-merchant")
    unionpay_path, unionpay_public = ensure_rsa_key(folder, "unionpay-sign")
    ecny_path, ecny_public = ensure_rsa_key(folder, "ecny-merchant")
    account = _ask(
        sandbox_url,
        {
            "name": "Smart Checkout",
            "webhooks": {name: f"{public_url}/webhooks/{name}" for name in ("stripe", "bank")},
            "alipay": {"app_public_key": alipay_public},
            "wechat": {"merchant_public_key": wechat_public},
            "unionpay": {"merchant_public_key": unionpay_public},
            "ecny": {"merchant_public_key": ecny_public},
        },
    )
    values = {"SANDBOX_URL": sandbox_url}
    values |= _stripe(sandbox_url, account["stripe"])
    values |= _alipay(folder, sandbox_url, account["alipay"], alipay_path)
    values |= _wechat(folder, sandbox_url, account["wechat"], wechat_path)
    values |= _unionpay(folder, sandbox_url, account["unionpay"], unionpay_path)
    values |= _ecny(folder, sandbox_url, account["ecny"], ecny_path)
    values |= _bank(sandbox_url, account["bank"])
    values |= _crypto(sandbox_url, account["crypto"])
    values |= {"SMS_API_BASE": f"{sandbox_url}/sms", "SMS_API_KEY": account["sms"]["api_key"]}
    folder.write_private(folder.sandbox_environment, render(values))


def _ask(sandbox_url: str, merchant: Mapping[str, Any]) -> dict[str, Any]:
    try:
        answer = httpx.post(f"{sandbox_url}/control/merchants", json=merchant, timeout=30, trust_env=False)
        answer.raise_for_status()
        account: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise CannotStart(f"the sandbox did not open an account: {error}") from error
    missing = [channel for channel in _CHANNELS if channel not in account]
    if missing:
        raise CannotStart(f"the sandbox opened no account for {', '.join(missing)}")
    return account


def _stripe(sandbox_url: str, account: Mapping[str, str]) -> dict[str, str]:
    return {
        "STRIPE_API_BASE": f"{sandbox_url}/stripe",
        "STRIPE_JS_URL": f"{sandbox_url}/stripe/js/v3/",
        "STRIPE_SECRET_KEY": account["secret_key"],
        "STRIPE_PUBLISHABLE_KEY": account["publishable_key"],
        "STRIPE_WEBHOOK_SECRETS": account["webhook_secret"],
    }


def _alipay(folder: DataFolder, sandbox_url: str, account: Mapping[str, str], private: str) -> dict[str, str]:
    public = folder.keys / "alipay-public.pem"
    folder.write_private(public, account["alipay_public_key"])
    return {
        "ALIPAY_GATEWAY": f"{sandbox_url}/alipay/gateway.do",
        "ALIPAY_APP_ID": account["app_id"],
        "ALIPAY_SELLER_ID": account["seller_id"],
        "ALIPAY_APP_PRIVATE_KEY_FILE": private,
        "ALIPAY_PUBLIC_KEY_FILE": str(public),
    }


def _wechat(folder: DataFolder, sandbox_url: str, account: Mapping[str, str], private: str) -> dict[str, str]:
    public = folder.keys / "wechat-platform.pem"
    folder.write_private(public, account["public_key"])
    return {
        "WECHAT_API_BASE": f"{sandbox_url}/wechat",
        "WECHAT_APPID": account["appid"],
        "WECHAT_MCHID": account["mchid"],
        "WECHAT_MERCHANT_SERIAL": account["merchant_serial"],
        "WECHAT_MERCHANT_PRIVATE_KEY_FILE": private,
        "WECHAT_API_V3_KEY": account["api_v3_key"],
        "WECHAT_PLATFORM_KEYS": f"{account['public_key_id']}={public}",
    }


def _unionpay(
    folder: DataFolder, sandbox_url: str, account: Mapping[str, str], private: str
) -> dict[str, str]:
    files = {
        name: folder.keys / f"unionpay-{name}.pem"
        for name in ("merchant_certificate", "root_certificate", "middle_certificate")
    }
    for name, path in files.items():
        folder.write_private(path, account[name])
    return {
        "UNIONPAY_GATEWAY": f"{sandbox_url}/unionpay/gateway/api",
        "UNIONPAY_FILE_GATEWAY": f"{sandbox_url}/unionpay/file",
        "UNIONPAY_MER_ID": account["mer_id"],
        "UNIONPAY_SIGN_KEY_FILE": private,
        "UNIONPAY_SIGN_CERT_FILE": str(files["merchant_certificate"]),
        "UNIONPAY_ROOT_CERT_FILE": str(files["root_certificate"]),
        "UNIONPAY_MIDDLE_CERT_FILE": str(files["middle_certificate"]),
        "UNIONPAY_COMMON_NAME": account["common_name"],
    }


def _ecny(folder: DataFolder, sandbox_url: str, account: Mapping[str, Any], private: str) -> dict[str, str]:
    known = []
    for key_id, pem in account["gateway_keys"].items():
        path = folder.keys / f"ecny-gateway-{key_id}.pem"
        folder.write_private(path, pem)
        known.append(f"{key_id}={path}")
    return {
        "ECNY_GATEWAY": f"{sandbox_url}/ecny",
        "ECNY_MCH_ID": account["mch_id"],
        "ECNY_MERCHANT_PRIVATE_KEY_FILE": private,
        "ECNY_GATEWAY_KEYS": ",".join(known),
    }


def _bank(sandbox_url: str, account: Mapping[str, str]) -> dict[str, str]:
    return {
        "BANK_API_BASE": f"{sandbox_url}/bank",
        "BANK_ACCOUNT": account["account"],
        "BANK_ACCOUNT_NAME": "Smart Checkout",
        "BANK_NAME": "Sandbox Bank",
        "BANK_BIC": "SANDXXXX",
        "BANK_TOKEN": account["token"],
        "BANK_REQUEST_SECRET": account["request_secret"],
        "BANK_NOTICE_SECRETS": account["notice_secret"],
    }


def _crypto(sandbox_url: str, account: Mapping[str, str]) -> dict[str, str]:
    """Ready for whoever sets CRYPTO_ENABLED; nothing switches it on."""
    return {
        "CRYPTO_API_BASE": f"{sandbox_url}/crypto",
        "CRYPTO_STORE": account["store"],
        "CRYPTO_API_KEY": account["api_key"],
        "CRYPTO_WEBHOOK_SECRETS": account["webhook_secret"],
    }
