"""A small file of every format, as its writer writes it."""

# ruff: noqa: E501 - lines of statements are as long as they are

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciliation.parsers import Mapping, Told, format_of
from reconciliation.rows import Line

DAY = date(2026, 11, 20)
PID = "2088123456789056"
MCHID = "1900000109"
ATT, ATT2 = "att_01jd3q7x8kfz0c5w9m2v4t6b1a", "att_01jd3q7x8kfz0c5w9m2v4t6b2b"
REF = "ref_01jd3q9y2mgz0c5w9m2v4t6b3c"
UNIONPAY_MERCHANT = "777290058110048"
IBAN = "DE89370400440532013000"


@dataclass(frozen=True, slots=True)
class Sample:
    """`members` are the texts inside; `pack` makes the file of them. `proven`: the file has totals of its own."""

    channel: str
    kind: str
    told: Told
    members: Sequence[tuple[str, bytes]]
    pack: Callable[[Sequence[tuple[str, bytes]]], bytes]
    proven: bool = True

    @property
    def content(self) -> bytes:
        return self.pack(self.members)

    def text(self, old: str, new: str, encoding: str = "utf-8") -> "Sample":
        """The same with another text, which must be there."""
        members = [(name, _exchanged(text, old, new, encoding)) for name, text in self.members]
        assert members != list(self.members), f"{old!r} is not in the sample"
        return replace(self, members=members)

    def read(self, content: bytes | None = None, told: Told | None = None) -> list[Line]:
        stream = io.BytesIO(self.content if content is None else content)
        return list(format_of(self.channel, self.kind).read(stream, told or self.told))


def _exchanged(text: bytes, old: str, new: str, encoding: str) -> bytes:
    return text.replace(old.encode(encoding), new.encode(encoding))


def plain(members: Sequence[tuple[str, bytes]]) -> bytes:
    [(_, text)] = members
    return text


class _GbkName(ZipInfo):
    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook for this
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    """As Alipay packs: names in GBK that do not say so."""
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, text in members:
            member = _GbkName(name)
            member.compress_type = ZIP_DEFLATED
            archive.writestr(member, text)
    return packed.getvalue()


def _crlf(text: str, encoding: str) -> bytes:
    return text.strip("\n").replace("\n", "\r\n").encode(encoding) + b"\r\n"


WECHAT_ALL = f"""
交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注
`2026-11-20 10:11:12,`wx8888888888888888,`{MCHID},`0,`,`4200001234202611201234567890,`{ATT},`oUpF8,`NATIVE,`SUCCESS,`OTHERS,`CNY,`100.00,`0.00,`0,`0,`0.00,`0.00,`,`,`绿茶\\ "Tea" 茶,`,`0.60000,`0.60%,`100.00,`0.00,`
`2026-11-20 12:00:00,`wx8888888888888888,`{MCHID},`0,`,`4200001234202611201234567891,`{ATT2},`oUpF8,`NATIVE,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`=1+1,`,`0.00006,`0.60%,`0.01,`0.00,`
`2026-11-20 23:59:59,`wx8888888888888888,`{MCHID},`0,`,`4200001234202611201234567890,`{ATT},`oUpF8,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50300012342026112098765,`{REF},`25.50,`0.00,`ORIGINAL,`PROCESSING,`绿茶,`,`-0.15300,`0.60%,`0.00,`25.50,`
总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额
`3,`100.01,`25.50,`0.00,`0.44706,`100.01,`25.50
"""
WECHAT_SUCCESS = f"""
交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注
`2026-11-20 10:11:12,`wx8888888888888888,`{MCHID},`0,`,`4200001234202611201234567890,`{ATT},`oUpF8,`NATIVE,`SUCCESS,`OTHERS,`CNY,`100.00,`0.00,`绿茶,`,`0.60000,`0.60%,`100.00,`
总交易单数,应结订单总金额,手续费总金额,订单总金额
`1,`100.00,`0.60000,`100.00
"""
WECHAT_REFUND = f"""
交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注
`2026-11-18 10:11:12,`wx8888888888888888,`{MCHID},`0,`,`4200001234202611201234567890,`{ATT},`oUpF8,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`2026-11-20 09:00:00,`2026-11-20 09:00:05,`50300012342026112098765,`{REF},`25.50,`0.00,`ORIGINAL,`SUCCESS,`绿茶,`,`-0.15300,`0.60%,`0.00,`25.50,`
总交易单数,退款总金额,充值券退款总金额,手续费总金额,申请退款总金额
`1,`25.50,`0.00,`-0.15300,`25.50
"""
WECHAT_FLOW = f"""
记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号
`2026-11-20 10:11:12,`4200001234202611201234567890,`42000012342026112012345678900,`交易,`交易,`收入,`100.00,`1100.00,`system,`结算总金额 100.00 元,`{ATT}
`2026-11-20 10:11:12,`4200001234202611201234567890,`42000012342026112012345678901,`扣除交易手续费,`扣除交易手续费,`支出,`0.60,`1099.40,`system,`,`{ATT}
`2026-11-20 11:00:00,`50300012342026112098765,`503000123420261120987650,`退款,`退款,`支出,`25.50,`1073.90,`API,`,`{REF}
`2026-11-20 11:00:00,`50300012342026112098765,`503000123420261120987651,`退款,`退还交易手续费,`收入,`0.15,`1074.05,`API,`,`{REF}
`2026-11-20 18:00:00,`100005678202611200001,`1000056782026112000010,`提现,`提现,`支出,`1000.00,`74.05,`operator,`提现至招商银行,`W1
资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额
`5.0,`2.0,`100.15,`3.0,`1026.10
"""
_RULE = "-" * 41
ALIPAY_HEAD = """#支付宝{title}查询
#账号：[{pid}0156]
#起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]
#{rule}{title}列表{rule}
"""
ALIPAY_TRADE = f"""{ALIPAY_HEAD.format(title="业务明细", pid=PID, rule=_RULE)}支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注
2026112022001400001000000001\t,{ATT}\t,交易,"Tea, ""green"" 茶",2026-11-20 10:11:00,2026-11-20 10:11:12,,,,,*家(a**@x.com),100.00,100.00,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,,-0.60,0.00,
2026112022001400001000000002\t,{ATT2}\t,交易,=HYPERLINK("http://x"),2026-11-20 12:00:00,2026-11-20 12:00:05,,,,,*家(a**@x.com),0.01,0.01,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,,0.00,0.00,
2026112022001400001000000001\t,{ATT}\t,退款,茶,2026-11-20 10:11:00,2026-11-20 23:59:59,,,,,*家(a**@x.com),-25.50,-25.50,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{REF}\t,0.15,0.00,
#{_RULE}业务明细列表结束{_RULE}
#交易合计：2笔，商家实收共100.01元，商家优惠共0.00元
#退款合计：1笔，商家实收退款共-25.50元，商家优惠退款共0.00元
#导出时间：[2026年11月21日 09:12:13]
"""
ALIPAY_TRADE_SUMMARY = f"""{ALIPAY_HEAD.format(title="业务明细汇总", pid=PID, rule=_RULE)}门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）
,,2,1,74.51,74.51,0.00,0.00,0.00,-0.45,0.00,74.06
合计,,2,1,74.51,74.51,0.00,0.00,0.00,-0.45,0.00,74.06
#{_RULE}业务明细汇总列表结束{_RULE}
#导出时间：[2026年11月21日 09:12:13]
"""
ALIPAY_FUND = f"""{ALIPAY_HEAD.format(title="账务明细", pid=PID, rule=_RULE)}账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注
10001\t,2026112022001400001000000001\t,{ATT}\t,茶,2026-11-20 10:11:12,a**@x.com,100.00,0.00,1100.00,支付宝,在线支付,
10002\t,2026112022001400001000000001\t,{ATT}\t,茶,2026-11-20 10:11:12,a**@x.com,0.00,-0.60,1099.40,支付宝,收费,
10003\t,2026112022001400001000000001\t,{ATT}\t,茶,2026-11-20 11:00:00,a**@x.com,0.00,-25.50,1073.90,支付宝,交易退款,{REF}\t
10004\t,2026112000009999\t,,提现,2026-11-20 18:00:00,,0.00,-1000.00,73.90,支付宝,提现,
#{_RULE}账务明细列表结束{_RULE}
#支出合计：3笔，共-1026.10元
#收入合计：1笔，共100.00元
#导出时间：[2026年11月21日 09:12:13]
"""
ALIPAY_FUND_SUMMARY = f"""{ALIPAY_HEAD.format(title="账务汇总", pid=PID, rule=_RULE)}类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）
合计,1,100.00,3,-1026.10,-926.10
#{_RULE}账务汇总列表结束{_RULE}
#导出时间：[2026年11月21日 09:12:13]
"""
_MOVEMENT = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,description,"
    "charge_id,payment_intent_id,payment_method_type,dispute_reason,automatic_payout_id,"
    "automatic_payout_effective_at_utc,payment_metadata[reference],refund_metadata[reference]\n"
)
STRIPE_MOVEMENTS = f"""{_MOVEMENT}txn_1,2026-11-20 10:11:12,2026-11-22 10:11:12,usd,100.00,3.20,96.80,charge,ch_1,"Tea, ""green"" tea",ch_1,pi_1,card,,,,{ATT},
txn_2,2026-11-20 11:00:00,2026-11-22 11:00:00,usd,-25.50,0.00,-25.50,refund,re_1,,ch_1,pi_1,card,,,,{ATT},{REF}
txn_3,2026-11-20 12:00:00,2026-11-20 12:00:00,usd,-10.00,15.00,-25.00,dispute,dp_1,,ch_1,pi_1,card,fraudulent,,,{ATT},
txn_4,2026-11-20 13:00:00,2026-11-20 13:00:00,usd,10.00,0.00,10.00,dispute_reversal,dp_1,,ch_1,pi_1,card,fraudulent,,,{ATT},
txn_5,2026-11-20 14:00:00,2026-11-20 14:00:00,usd,25.50,0.00,25.50,refund_failure,re_1,,ch_1,pi_1,card,,,,{ATT},{REF}
txn_6,2026-11-20 15:00:00,2026-11-20 15:00:00,usd,-2.00,0.00,-2.00,fee,,Radar,,,,,,,,
txn_7,2026-11-20 16:00:00,2026-11-22 16:00:00,jpy,5000,180,4820,charge,ch_2,茶,ch_2,pi_2,card,,,,{ATT2},
txn_8,2026-11-20 17:00:00,2026-11-22 17:00:00,bhd,1.230,0.340,0.890,charge,ch_3,,ch_3,pi_3,card,,,,,
"""
STRIPE_PAID_OUT = f"""{_MOVEMENT}txn_1,2026-11-17 10:11:12,2026-11-19 10:11:12,usd,100.00,3.20,96.80,charge,ch_1,Tea,ch_1,pi_1,card,,po_1,2026-11-20 00:00:00,{ATT},
txn_2,2026-11-18 11:00:00,2026-11-19 11:00:00,usd,-25.50,0.00,-25.50,refund,re_1,,ch_1,pi_1,card,,po_1,2026-11-20 00:00:00,{ATT},{REF}
"""
STRIPE_PAYOUTS = """payout_id,effective_at_utc,currency,gross,fee,net,reporting_category,balance_transaction_id,description,payout_expected_arrival_date,payout_status
po_1,2026-11-22 00:00:00,usd,-71.30,0.00,-71.30,payout,txn_9,STRIPE PAYOUT,2026-11-22 00:00:00,paid
po_2,2026-11-22 00:00:00,usd,-5.00,0.00,-5.00,payout,txn_10,STRIPE PAYOUT,2026-11-22 00:00:00,in_transit
"""
ECNY = f"""
time,kind,out_trade_no,trade_no,out_refund_no,refund_no,amount,fee
2026-11-20T10:11:12+08:00,payment,{ATT},E1,,,10000,0
2026-11-20T23:59:59+08:00,refund,{ATT},E1,{REF},R1,-2550,0
"""
_UNIONPAY_WIDTHS = (
    *(11, 11, 6, 10, 19, 12, 12, 12, 4, 6, 4, 8, 15, 12, 2, 6, 11, 6, 2, 3, 12, 12, 12, 1, 3, 1, 1, 10, 11),
    *(1, 2, 2, 12, 14),
)


def unionpay_line(at: str, kind: str, fen: int, number: str, fee: int = 0, response: str = "00") -> str:
    known = {0: "48021000", 2: "123456", 3: at, 4: "6221558812340000", 5: f"{fen:012d}", 9: kind}
    known |= {12: UNIONPAY_MERCHANT, 13: number, 18: response, 20: "0" * 12, 21: f"{fee:012d}"}
    return " ".join(known.get(place, "").ljust(width) for place, width in enumerate(_UNIONPAY_WIDTHS))


UNIONPAY = "\n".join(
    (
        unionpay_line("1120101112", "000000", 10_000, "101112123456", 60),
        unionpay_line("1119233000", "000000", 1, "233000123457"),  # UnionPay's day begins at 23:00
        unionpay_line("1120110000", "200000", 2_550, "110000123458"),
    )
)
CAMT = f"""
<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-21T01:00:00+01:00</CreDtTm></GrpHdr>
<Stmt><Id>S1</Id>
<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1145.50</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries><Sum>196.50</Sum></TtlNtries></TxsSummry>
<Ntry><Amt Ccy="EUR">71.30</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>B1</AcctSvcrRef><NtryDtls><Btch><PmtInfId>po_1</PmtInfId></Btch>
<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>STRIPE</Nm></Pty></Dbtr></RltdPties>
<RmtInf><Ustrd>STRIPE PAY</Ustrd><Ustrd>OUT po_1 &amp; thanks</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">25.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><DtTm>2026-11-20T11:00:00+01:00</DtTm></BookgDt><AcctSvcrRef>B2</AcctSvcrRef><NtryDtls>
<TxDtls><Refs><EndToEndId>{REF}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">99.70</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>B3</AcctSvcrRef></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
MT940 = f"""
{{1:F01BANKDEFFAXXX0000000000}}{{2:I940BANKDEFFXXXXN}}{{4:
:20:STARTUMSE
:25:{IBAN}
:28C:00001/001
:60F:C261119EUR1000,00
:61:2611201120CR71,30NTRFNONREF//B1
:86:166?00GUTSCHRIFT?20EREF+NOTPROVIDED?21SVWZ+STRIPE PAYOUT po_1?32STRIPE
:61:2611201120D25,5NTRFNONREF//B2
:86:/EREF/{REF}/REMI/Refund of Tea
:61:2611201120RD0,01NCHGK1//B3
Reversal
:62F:C261120EUR1045,81
-}}
"""
BANK_CSV = """Kontoauszug;;;;
Buchungstag;Verwendungszweck;Betrag;W\xe4hrung;Saldo
20.11.2026;"STRIPE; PAYOUT po_1";1.071,30;EUR;2.071,30
20.11.2026;Refund;-25,50;EUR;2.045,80
"""
BANK_MAPPING = Mapping(
    date="Buchungstag",
    date_format="%d.%m.%Y",
    amount="Betrag",
    currency="W\xe4hrung",
    balance="Saldo",
    text=("Verwendungszweck",),
    delimiter=";",
    encoding="cp1252",
    decimal_comma=True,
    skip_lines=1,
)
_WECHAT = Told(day=DAY, merchant=MCHID, currency="CNY")
_ALIPAY = Told(day=DAY, merchant=PID, currency="CNY")
_NAME = f"{PID}0156_20261120_"
_BANK = Told(day=DAY, merchant=IBAN, currency="EUR", time_zone="Europe/Berlin")


def _one(channel: str, kind: str, told: Told, content: bytes, *, proven: bool) -> Sample:
    return Sample(channel, kind, told, (("", content),), plain, proven)


SAMPLES = {
    "wechat_all": _one("wechat", "trade", _WECHAT, _crlf(WECHAT_ALL, "utf-8-sig"), proven=True),
    "wechat_success": _one(
        "wechat", "trade_success", _WECHAT, _crlf(WECHAT_SUCCESS, "utf-8-sig"), proven=True
    ),
    "wechat_refund": _one("wechat", "trade_refund", _WECHAT, _crlf(WECHAT_REFUND, "utf-8-sig"), proven=True),
    "wechat_flow": _one("wechat", "fundflow", _WECHAT, _crlf(WECHAT_FLOW, "utf-8-sig"), proven=True),
    "alipay_trade": Sample(
        *("alipay", "trade", _ALIPAY),
        (
            (f"{_NAME}业务明细.csv", _crlf(ALIPAY_TRADE, "gb18030")),
            (f"{_NAME}业务明细(汇总).csv", _crlf(ALIPAY_TRADE_SUMMARY, "gb18030")),
        ),
        zipped,
    ),
    "alipay_fund": Sample(
        *("alipay", "signcustomer", _ALIPAY),
        (
            (f"{_NAME}账务明细.csv", _crlf(ALIPAY_FUND, "gb18030")),
            (f"{_NAME}账务明细(汇总).csv", _crlf(ALIPAY_FUND_SUMMARY, "gb18030")),
        ),
        zipped,
    ),
    "stripe_movements": _one(
        "stripe", "balance_change", Told(day=DAY), STRIPE_MOVEMENTS.encode(), proven=False
    ),
    "stripe_paid_out": _one(
        "stripe", "payout_reconciliation", Told(day=DAY), STRIPE_PAID_OUT.encode(), proven=False
    ),
    "stripe_payouts": _one("stripe", "payouts", Told(day=DAY), STRIPE_PAYOUTS.encode(), proven=False),
    "unionpay": _one(
        "unionpay", "ACOMN", Told(day=DAY, merchant=UNIONPAY_MERCHANT), _crlf(UNIONPAY, "ascii"), proven=False
    ),
    "ecny": _one("ecny", "trade", Told(day=DAY), _crlf(ECNY, "utf-8"), proven=False),
    "camt": _one("bank", "camt.053", _BANK, CAMT.strip().encode(), proven=True),
    "mt940": _one("bank", "mt940", _BANK, _crlf(MT940, "ascii"), proven=True),
    "bank_csv": _one(
        "bank", "csv", replace(_BANK, mapping=BANK_MAPPING), BANK_CSV.encode("cp1252"), proven=False
    ),
}
