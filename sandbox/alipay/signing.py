"""The text that Alipay's version 2 protocol signs, and answers with the quirks of the real ones."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox import keys


def request_text(fields: Mapping[str, str]) -> bytes:
    return _text({name: value for name, value in fields.items() if name != "sign"})


def notice_text(fields: Mapping[str, str]) -> bytes:
    """Trade notifications leave `sign_type` out as well."""
    return _text({name: value for name, value in fields.items() if name not in ("sign", "sign_type")})


def answer_body(method: str, fields: Mapping[str, Any], pem: str | None) -> bytes:
    """`{"<method>_response":{…},"sign":"…"}`, with slashes escaped as Alipay does; unsigned without `pem`."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    name = method.replace(".", "_") + "_response"
    sign = "" if pem is None else f',"sign":"{keys.sign(pem, text.encode("utf-8"))}"'
    return f'{{"{name}":{text}{sign}}}'.encode()


def _text(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value).encode("utf-8")
