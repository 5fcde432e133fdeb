"""WeChat Pay's bill files to the letter: UTF-8 with a BOM, CRLF, a backtick before every value, a summary below."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sandbox.wechat.orders import PAYER, Account

_BEIJING = timezone(timedelta(hours=8))

_ORDER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额"
)
_REFUND = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态"
_TAIL = "商品名称,商户数据包,手续费,费率"
_HEADERS = {
    "ALL": f"{_ORDER},{_REFUND},{_TAIL},订单金额,申请退款金额,费率备注",
    "SUCCESS": f"{_ORDER},{_TAIL},订单金额,费率备注",
    "REFUND": f"{_ORDER},退款申请时间,退款成功时间,{_REFUND},{_TAIL},订单金额,申请退款金额,费率备注",
}
_TOTALS = {
    "ALL": "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额",
    "SUCCESS": "总交易单数,应结订单总金额,手续费总金额,订单总金额",
    "REFUND": "总交易单数,退款总金额,充值券退款总金额,手续费总金额,申请退款总金额",
}
_FLOW = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元)"
_FLOW += ",资金变更提交申请人,备注,业务凭证号"
_FLOW_TOTALS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
_SAID = {"processing": "PROCESSING", "failed": "CLOSED"}
_REFUND_STATES = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "ABNORMAL": "CHANGE", "CLOSED": "FAIL"}


@dataclass(frozen=True, slots=True)
class Movement:
    """A payment ("pay"), a refund, a refund's money that came back ("closed"), or what went to the bank ("withdraw").

    `total` is the order's sum; a `state` is told instead of the refund's own.
    """

    kind: str
    moved_at: float
    total: int
    amount: int
    fee: int
    rate: int
    reference: str
    transaction_id: str
    trade_type: str
    description: str
    attach: str
    asked: str
    refund_id: str
    number: str
    status: str
    changed_at: float | None
    currency: str = "CNY"
    state: str = ""

    @property
    def payer(self) -> str:
        named = json.loads(self.asked).get("payer") if self.trade_type == "JSAPI" else PAYER
        return str(named["openid"])


def trades(account: Account, kind: str, movements: Sequence[Movement], *, written: float) -> bytes:
    """The trade bill; empty when it would have no row. A refund is listed the day it was accepted, and stays so."""
    wanted = {"ALL": ("pay", "refund"), "SUCCESS": ("pay",), "REFUND": ("refund",)}[kind]
    listed = [one for one in movements if one.kind in wanted]
    if not listed:
        return b""
    columns = _HEADERS[kind].split(",")
    rows = [[_cells(account, one, written)[name] for name in columns] for one in listed]
    totals = _trade_totals(listed)
    return _file(_HEADERS[kind], rows, _TOTALS[kind], [totals[name] for name in _TOTALS[kind].split(",")])


def _trade_totals(listed: Sequence[Movement]) -> dict[str, str]:
    paid = sum(one.amount for one in listed if one.kind == "pay")
    back = sum(one.amount for one in listed if one.kind == "refund")
    fees = sum(one.fee if one.kind == "pay" else -one.fee for one in listed)
    return {
        "总交易单数": str(len(listed)),
        "应结订单总金额": _yuan(paid),
        "退款总金额": _yuan(back),
        "充值券退款总金额": "0.00",
        "手续费总金额": f"{_yuan(fees)}000",
        "订单总金额": _yuan(paid),
        "申请退款总金额": _yuan(back),
    }


def _cells(account: Account, one: Movement, written: float) -> dict[str, str]:
    refund = one.kind == "refund"
    ended = refund and one.changed_at is not None and one.changed_at < written
    status = _SAID.get(one.state) or (one.status if ended else "PROCESSING") if refund else ""
    paid, back = ("0.00", _yuan(one.amount)) if refund else (_yuan(one.amount), "0.00")
    return {
        "交易时间": _moment(one.moved_at),
        "公众账号ID": account.appid,
        "商户号": account.mchid,
        "特约商户号": "0",
        "设备号": "",
        "微信订单号": one.transaction_id,
        "商户订单号": one.reference,
        "用户标识": one.payer,
        "交易类型": one.trade_type,
        "交易状态": "REFUND" if refund else "SUCCESS",
        "付款银行": "OTHERS",
        "货币种类": one.currency,
        "应结订单金额": paid,
        "代金券金额": "0.00",
        "退款申请时间": _moment(one.moved_at),
        "退款成功时间": _moment(one.changed_at) if status == "SUCCESS" else "",
        "微信退款单号": one.refund_id or "0",
        "商户退款单号": one.number or "0",
        "退款金额": back,
        "充值券退款金额": "0.00",
        "退款类型": "ORIGINAL" if refund else "",
        "退款状态": _REFUND_STATES.get(status, ""),
        "商品名称": _escaped(one.description),
        "商户数据包": _escaped(one.attach),
        "手续费": f"{_yuan(-one.fee if refund else one.fee)}000",
        "费率": f"{one.rate // 100}.{one.rate % 100:02d}%",
        "订单金额": "0.00" if refund else _yuan(one.total),
        "申请退款金额": back,
        "费率备注": "",
    }


def fund_flow(movements: Sequence[Movement], before: int) -> bytes:
    """What moved on the basic account; fees are rows of their own."""
    rows, balance, earned, spent = [], before, list[int](), list[int]()
    for one in movements:
        for number, (name, change) in enumerate(_changes(one)):
            balance += change
            (earned if change > 0 else spent).append(abs(change))
            rows.append(_flow_row(one, name, number, change, balance))
    totals = [f"{len(rows)}.0", f"{len(earned)}.0", _yuan(sum(earned)), f"{len(spent)}.0", _yuan(sum(spent))]
    return _file(_FLOW, rows, _FLOW_TOTALS, totals)


def _changes(one: Movement) -> list[tuple[str, int]]:
    named = {
        "pay": [("交易", one.amount), ("扣除交易手续费", -one.fee)],
        "refund": [("退款", -one.amount), ("退还交易手续费", one.fee)],
        "closed": [("退款退回", one.amount), ("扣除交易手续费", -one.fee)],
        "withdraw": [("提现", -one.amount)],
    }
    return [(name, change) for name, change in named[one.kind] if change]


def _flow_row(one: Movement, name: str, number: int, change: int, balance: int) -> list[str]:
    flow = f"{one.refund_id or one.transaction_id}{number}{'9' if one.kind == 'closed' else ''}"
    return [
        *(_moment(one.moved_at), one.refund_id or one.transaction_id, flow, name, name),
        *("收入" if change > 0 else "支出", _yuan(abs(change)), _yuan(balance)),
        *("system" if one.kind == "pay" else "API", "", one.number or one.reference),
    ]


def _file(header: str, rows: Sequence[Sequence[str]], total_header: str, totals: Sequence[str]) -> bytes:
    lines = [header, *(_marked(row) for row in rows), total_header, _marked(totals), ""]
    return "\r\n".join(lines).encode("utf-8-sig")


def _marked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def _escaped(text: str) -> str:
    """Free text with commas and line ends as WeChat writes them, so that a row stays a row."""
    return text.replace(",", "\\ ").replace("\n", "\\n")


def _moment(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, _BEIJING).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _yuan(amount: int) -> str:
    sign, fen = "-" if amount < 0 else "", abs(amount)
    return f"{sign}{fen // 100}.{fen % 100:02d}"
