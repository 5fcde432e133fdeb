"""Alipay's bill files to the letter: `#` lines around the rows, IDs with a TAB behind them, GBK names in the zip."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sandbox.alipay.trades import BUYER, Account, written_time, yuan

_BEIJING = timezone(timedelta(hours=8))
_RULE = "-" * 41
_UTF8_FLAG = 0x800

_DETAIL = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
).split(",")
_SUMMARY = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
).split(",")
_FUND = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,"
    "交易渠道,业务类型,备注"
).split(",")
_FUND_SUMMARY = "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）".split(",")


@dataclass(frozen=True, slots=True)
class Movement:
    """A payment ("pay"), a "refund", or what went to the bank ("withdraw").

    `number` is the refund's, `fee` what Alipay keeps of the payment.
    """

    kind: str
    trade_no: str
    reference: str
    subject: str
    created_at: float
    moved_at: float
    amount: int
    number: str
    fee: int

    @property
    def signed(self) -> int:
        return self.amount if self.kind == "pay" else -self.amount


class _GbkName(ZipInfo):
    """A member whose name is GBK and does not say so, as Alipay's archiver writes it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook for this
        return self.filename.encode("gbk"), self.flag_bits & ~_UTF8_FLAG


def owner(account: Account) -> str:
    return f"{account.seller_id}0156"


def trade_bill(
    account: Account, day: date, movements: Sequence[Movement], *, exported: float
) -> dict[str, bytes]:
    """The texts of the bill by the names of their files."""
    paid = [one for one in movements if one.kind == "pay"]
    back = [one for one in movements if one.kind != "pay"]
    foot = [
        f"#交易合计：{len(paid)}笔，商家实收共{_total(paid)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{_total(back)}元，商家优惠退款共0.00元",
    ]
    detail = _text("业务明细", account, day, exported, [_DETAIL, *map(_detail_row, movements)], foot)
    fees = _yuan(-sum(one.fee for one in movements))
    net = _yuan(sum(one.signed - one.fee for one in movements))
    counts = (len(paid), len(back), _total(movements), _total(movements), "0.00", "0.00", "0.00")
    rows = [("", "", *counts, fees, "0.00", net), ("合计", "", *counts, fees, "0.00", net)]
    summary = _text("业务明细汇总", account, day, exported, [_SUMMARY, *rows], [])
    name = f"{owner(account)}_{day:%Y%m%d}_业务明细"
    return {f"{name}.csv": detail, f"{name}(汇总).csv": summary}


def fund_bill(
    account: Account, day: date, movements: Sequence[Movement], *, before: int, exported: float
) -> dict[str, bytes]:
    rows, balance, earned, spent = [], before, list[int](), list[int]()
    for one in movements:
        for kind, change in _changes(one):
            balance += change
            (earned if change > 0 else spent).append(change)
            rows.append(_fund_row(one, kind, change, balance))
    foot = [
        f"#支出合计：{len(spent)}笔，共{_yuan(sum(spent))}元",
        f"#收入合计：{len(earned)}笔，共{_yuan(sum(earned))}元",
    ]
    detail = _text("账务明细", account, day, exported, [_FUND, *rows], foot)
    counts = (len(earned), _yuan(sum(earned)), len(spent), _yuan(sum(spent)), _yuan(sum(earned) + sum(spent)))
    summary = _text("账务汇总", account, day, exported, [_FUND_SUMMARY, ("合计", *counts)], [])
    name = f"{owner(account)}_{day:%Y%m%d}_账务明细"
    return {f"{name}.csv": detail, f"{name}(汇总).csv": summary}


def _changes(one: Movement) -> list[tuple[str, int]]:
    if one.kind != "pay":
        return [("提现" if one.kind == "withdraw" else "交易退款", -one.amount)]
    return [("在线支付", one.amount), *([("收费", -one.fee)] if one.fee else [])]


def _detail_row(one: Movement) -> list[str]:
    amount, none = _yuan(one.signed), "0.00"
    return [
        *(f"{one.trade_no}\t", f"{one.reference}\t", "交易" if one.kind == "pay" else "退款", one.subject),
        *(written_time(one.created_at), written_time(one.moved_at), "", "", "", ""),
        *(f"*买家({BUYER['buyer_logon_id']})", amount, amount, none, none, none, none, none, "", none, none),
        *(f"{one.number}\t" if one.number else "", _yuan(-one.fee), none, ""),
    ]


def _fund_row(one: Movement, kind: str, change: int, balance: int) -> list[str]:
    flow = f"{int(one.moved_at * 1000)}{one.trade_no[-8:]}{'1' if kind == '收费' else '0'}"
    reference = f"{one.reference}\t" if one.reference else ""
    return [
        *(f"{flow}\t", f"{one.trade_no}\t", reference, one.subject, written_time(one.moved_at)),
        *(
            "" if one.kind == "withdraw" else BUYER["buyer_logon_id"],
            _yuan(max(change, 0)),
            _yuan(min(change, 0)),
            _yuan(balance),
        ),
        *("支付宝", kind, f"{one.number}\t" if one.number else ""),
    ]


def _text(
    title: str, account: Account, day: date, exported: float, table: Iterable[Sequence[Any]], foot: list[str]
) -> bytes:
    written = datetime.fromtimestamp(exported, _BEIJING).strftime("%Y年%m月%d日 %H:%M:%S")
    after = day + timedelta(days=1)
    head = [
        f"#支付宝{title}查询",
        f"#账号：[{owner(account)}]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{after:%Y年%m月%d日} 00:00:00]",
        f"#{_RULE}{title}列表{_RULE}",
    ]
    rows = StringIO()
    csv.writer(rows).writerows(table)
    lines = [*head, rows.getvalue().removesuffix("\r\n"), f"#{_RULE}{title}列表结束{_RULE}", *foot]
    return "\r\n".join([*lines, f"#导出时间：[{written}]", ""]).encode("gb18030")


def packed(day: date, files: Mapping[str, bytes]) -> bytes:
    zipped = BytesIO()
    with ZipFile(zipped, "w", ZIP_DEFLATED) as archive:
        for name, text in files.items():
            member = _GbkName(name, (day.year, day.month, day.day, 23, 59, 58))
            member.compress_type = ZIP_DEFLATED
            archive.writestr(member, text)
    return zipped.getvalue()


def _total(movements: Sequence[Movement]) -> str:
    return _yuan(sum(one.signed for one in movements))


def _yuan(amount: int) -> str:
    return f"-{yuan(-amount)}" if amount < 0 else yuan(amount)
