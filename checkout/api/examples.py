"""One purchase, as the documentation shows it from preview to refund."""

from typing import Any

_ORDER = "ord_01k9h3v6c8f2m4n5p6q7r8s9ta"
_PAYMENT = "pay_01k9h3w2d7g3n5p6q7r8s9tavb"
_EMAIL = "mei@example.com"
_QUOTE = "v1.2025a.eyJjYXJ0IjoiNmYxZCJ9.7hQ2mZs1"


def _cny(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


_ITEMS = [{"sku": "TEAPOT-01", "quantity": 1}]
_ADDRESS = {
    "name": "Mei Lin",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "Shanghai",
    "city": "Shanghai",
    "line1": "88 Century Avenue",
    "line2": "",
    "postal_code": "200120",
}

SAVED_METHOD: dict[str, Any] = {
    "id": "sm_01k9h3x5f9g2n6p7q8r9s0tavc",
    "state": "ACTIVE",
    "brand": "visa",
    "masked": "•••• 4242",
    "last4": "4242",
    "country": "CN",
    "funding": "credit",
    "expires_on": "2030-04",
    "label": "Travel",
    "is_default": True,
    "single_limit": _cny(50000),
    "daily_limit": None,
    "last_used_at": "2026-11-20T08:15:00Z",
    "created_at": "2026-11-02T09:30:00Z",
}
PAYMENT_OPTIONS: dict[str, Any] = {
    "data": [
        {
            "method": "alipay",
            "shortage": {"period": "day", "limit": _cny(30000), "left": _cny(4500), "everywhere": False},
        },
        {"method": "card", "shortage": None},
    ]
}
CATALOGUE: dict[str, Any] = {
    "data": [
        {
            "sku": "TEAPOT-01",
            "title": "Porcelain teapot",
            "description": "Holds 600 ml.",
            "price": _cny(10000),
            "available": 42,
            "purchase_limit": None,
        }
    ],
    "next_cursor": None,
}
PREVIEW_REQUEST: dict[str, Any] = {"items": _ITEMS, "region": "CN"}
PREVIEW: dict[str, Any] = {
    "lines": [
        {
            "sku": "TEAPOT-01",
            "quantity": 1,
            "unit_price": _cny(10000),
            "base": _cny(10000),
            "discount": _cny(0),
            "tax": _cny(0),
            "tax_included": _cny(1150),
            "total": _cny(10000),
        }
    ],
    "base": _cny(10000),
    "discounts": _cny(0),
    "tax": _cny(0),
    "tax_included": _cny(1150),
    "shipping": _cny(0),
    "payable": _cny(10000),
    "region": "CN",
    "rules_version": "2025.1",
    "quote": _QUOTE,
    "expires_at": "2025-11-20T09:15:00Z",
}
ORDER_REQUEST: dict[str, Any] = {"quote": _QUOTE, "items": _ITEMS, "address": _ADDRESS, "email": _EMAIL}
_SUMMARY: dict[str, Any] = {
    "id": _ORDER,
    "state": "PENDING_PAYMENT",
    "payable": _cny(10000),
    "lines": [
        {
            "title": "Porcelain teapot",
            "sku": "TEAPOT-01",
            "quantity": 1,
            "unit_price": _cny(10000),
            "total": _cny(10000),
        }
    ],
    "placed_at": "2025-11-20T09:00:07Z",
    "expires_at": "2025-11-20T09:15:07Z",
}
ORDERS: dict[str, Any] = {"data": [_SUMMARY], "next_cursor": None}
ORDER: dict[str, Any] = {
    **_SUMMARY,
    "email": _EMAIL,
    "address": _ADDRESS,
    "subtotal": _cny(10000),
    "discount": _cny(0),
    "tax": _cny(0),
    "tax_included": _cny(1150),
    "shipping": _cny(0),
    "refunded": _cny(0),
    "payments": [],
    "can_pay": True,
    "can_cancel": True,
    "can_refund": False,
}
PLACED_ORDER: dict[str, Any] = {**ORDER, "order_token": "8Z0mXv3kQ9w2rT5yBn7cLd4f"}
PAYMENT_REQUEST: dict[str, Any] = {
    "order": _ORDER,
    "method": "alipay",
    "return_url": "https://shop.example/thanks",
}
PAYMENT: dict[str, Any] = {
    "id": _PAYMENT,
    "order": _ORDER,
    "state": "REQUIRES_ACTION",
    "method": "alipay",
    "channel": "alipay",
    "amount": _cny(10000),
    "captured": _cny(0),
    "refunded": _cny(0),
    "refundable": _cny(0),
    "held": _cny(0),
    "held_until": None,
    "capture_mode": "automatic",
    "next_action": {
        "kind": "qr",
        "value": "https://qr.alipay.com/bax0123",
        "expires_at": "2025-11-20T09:15:07Z",
    },
    "failure": None,
    "card": None,
    "created_at": "2025-11-20T09:00:12Z",
    "expires_at": "2025-11-20T09:15:07Z",
}
CHALLENGE: dict[str, Any] = {
    "id": "chl_01k9h59t4x8e2v6b0n5q7r3wyc",
    "payment": _PAYMENT,
    "amount": _cny(10000),
    "state": "OPEN",
    "kind": "email",
    "kinds": ["email", "captcha"],
    "sent_to": "l•••@example.com",
    "code": "TAKEN",
    "codes_left": 2,
    "answers_left": 5,
    "expires_at": "2025-11-20T09:15:07Z",
    "task": None,
}
REFUND_REQUEST: dict[str, Any] = {"payment": _PAYMENT, "amount": _cny(2500), "reason": "The lid was chipped."}
REFUND: dict[str, Any] = {
    "id": "ref_01k9h5a1b2c3d4e5f6g7h8j9km",
    "payment": _PAYMENT,
    "order": _ORDER,
    "state": "SUCCEEDED",
    "amount": _cny(2500),
    "reason": "The lid was chipped.",
    "cause": "",
    "failure_code": "",
    "failure_message": "",
    "arrives_in_days": [5, 10],
    "created_at": "2025-11-20T10:30:00Z",
}
REFUNDS: dict[str, Any] = {"data": [REFUND]}
ORDER_REFUND_REQUEST: dict[str, Any] = {
    "lines": [{"sku": "porcelain-teapot", "quantity": 1}],
    "reason": "The lid was chipped.",
}
DISPUTE: dict[str, Any] = {
    "id": "dsp_01k9h5a1b2c3d4e5f6g7h8j9km",
    "payment": _PAYMENT,
    "order": _ORDER,
    "channel": "stripe",
    "state": "NEEDS_RESPONSE",
    "amount": _cny(10000),
    "kept": _cny(10000),
    "lost": _cny(0),
    "fee": _cny(1500),
    "reason": "product_not_received",
    "category": "not_received",
    "double_risk": False,
    "due_by": "2025-12-01T23:59:59Z",
    "submitted_at": None,
    "closed_at": None,
    "created_at": "2025-11-22T08:00:00Z",
    "texts": {"product_description": "2 x Tea (茶), CN¥100.00"},
    "files": [],
    "answer": None,
    "can_answer": True,
}
DISPUTES: dict[str, Any] = {"data": [DISPUTE], "next_cursor": None}
CAPTURE_REQUEST: dict[str, Any] = {"amount": _cny(4000), "final": False}
SHIPMENT_REQUEST: dict[str, Any] = {"items": _ITEMS, "carrier": "SF Express", "tracking": "SF1234567890"}
SHIPMENT: dict[str, Any] = {
    "id": "shp_01k9h5a1b2c3d4e5f6g7h8j9kn",
    "order": _ORDER,
    "state": "SENT",
    "lines": [{"title": "Porcelain teapot", "sku": "TEAPOT-01", "quantity": 1}],
    "amount": _cny(10000),
    "carrier": "SF Express",
    "tracking": "SF1234567890",
    "refusal": "",
    "created_at": "2025-11-20T10:00:00Z",
    "sent_at": "2025-11-20T10:00:01Z",
    "delivered_at": None,
}
SHIPMENTS: dict[str, Any] = {"data": [SHIPMENT]}
WEBHOOK_ENDPOINT_REQUEST: dict[str, Any] = {
    "url": "https://merchant.example/webhooks",
    "events": ["order.paid", "refund.*"],
    "description": "The warehouse",
}
WEBHOOK_ENDPOINT: dict[str, Any] = {
    "id": "whe_01k9h5c1b2c3d4e5f6g7h8j9km",
    **WEBHOOK_ENDPOINT_REQUEST,
    "state": "ENABLED",
    "disabled_reason": "",
    "failing_since": None,
    "previous_secret_until": None,
    "created_at": "2025-11-20T08:00:00Z",
}
WEBHOOK_SECRET: dict[str, Any] = {"secret": "whsec_bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgc2hvd24gYXM="}
WEBHOOK_MESSAGES: dict[str, Any] = {
    "data": [
        {
            "id": "whm_01k9h5d1b2c3d4e5f6g7h8j9km",
            "event": "evt_01k9h5e1b2c3d4e5f6g7h8j9km",
            "type": "order.paid",
            "subject": _ORDER,
            "state": "DELIVERED",
            "next_try_at": None,
            "created_at": "2025-11-20T09:01:00Z",
            "tries": [
                {
                    "number": 1,
                    "status": 204,
                    "latency_ms": 41,
                    "excerpt": "",
                    "error": "",
                    "created_at": "2025-11-20T09:01:00Z",
                }
            ],
        }
    ],
    "next_cursor": None,
}
ASSESSMENT_REQUEST: dict[str, Any] = {
    "reference": "cart-4711",
    "amount": _cny(800000),
    "customer": {"reference": "cus_17", "email": _EMAIL, "paid_orders": 0},
    "instrument": {"kind": "card", "country": "US", "brand": "visa", "fingerprint": "fp_5Yb1"},
    "address": _ADDRESS,
    "device": {"identifier": "d1f0c9", "ip": "203.0.113.77", "country": "CN"},
    "behaviour": {"seconds_on_page": 48, "pastes": 1},
    "skus": ["TEAPOT-01"],
    "coupon": False,
}
ASSESSMENT: dict[str, Any] = {
    "id": "dec_01k9h5a1b2c3d4e5f6g7h8j9kn",
    "action": "accept",
    "level": "MEDIUM",
    "score": 60,
    "reasons": [
        {"code": "large_amount", "text": "The amount of CN¥8,000.00 is large.", "weight": 20},
        {"code": "new_customer", "text": "The customer has not paid an order before.", "weight": 15},
        {
            "code": "card_country_differs",
            "text": "The card's country (United States) is not the delivery country (China).",
            "weight": 25,
        },
    ],
    "policy": "starting@3",
}
