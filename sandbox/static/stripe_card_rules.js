// What a card's fields must look like: brands, lengths, check digit, dates, and words for what is wrong.
"use strict";

const BRANDS = [
  { name: "visa", label: "VISA", starts: /^4/, lengths: [16], cvc: 3, groups: [4, 4, 4, 4] },
  { name: "mastercard", label: "MC", starts: /^(5[1-5]|2[2-7])/, lengths: [16], cvc: 3, groups: [4, 4, 4, 4] },
  { name: "amex", label: "AMEX", starts: /^3[47]/, lengths: [15], cvc: 4, groups: [4, 6, 5] },
  { name: "unionpay", label: "银联", starts: /^62/, lengths: [16, 17, 18, 19], cvc: 3, groups: [4, 4, 4, 4, 3] },
  { name: "jcb", label: "JCB", starts: /^35/, lengths: [16], cvc: 3, groups: [4, 4, 4, 4] },
  { name: "discover", label: "DISC", starts: /^(6011|64[4-9]|65)/, lengths: [16], cvc: 3, groups: [4, 4, 4, 4] },
  { name: "diners", label: "DIN", starts: /^3[068]/, lengths: [14], cvc: 3, groups: [4, 6, 4] },
];
const UNKNOWN_BRAND = { name: "unknown", label: "", lengths: [16], cvc: 3, groups: [4, 4, 4, 4] };

const WORDS = {
  en: {
    number: "Card number", expiry: "MM / YY", cvc: "CVC", expiryLabel: "Expiration date, month and year",
    cvcLabel: "Security code",
    incomplete_number: "Your card number is incomplete.",
    invalid_number: "Your card number is invalid.",
    incomplete_expiry: "Your card's expiration date is incomplete.",
    invalid_expiry_month: "Your card's expiration month is invalid.",
    invalid_expiry_year: "Your card's expiration year is invalid.",
    invalid_expiry_year_past: "Your card's expiration year is in the past.",
    invalid_expiry_month_past: "Your card's expiration date is in the past.",
    incomplete_cvc: "Your card's security code is incomplete.",
    test_mode_live_card: "Only the sandbox's test cards work here, for example 4242 4242 4242 4242. Never type a real card.",
    no_answer: "The card service does not answer. Nothing was charged; try again.",
  },
  zh: {
    number: "卡号", expiry: "月 / 年", cvc: "CVC", expiryLabel: "有效期（月和年）", cvcLabel: "安全码",
    incomplete_number: "卡号不完整。",
    invalid_number: "卡号无效。",
    incomplete_expiry: "有效期不完整。",
    invalid_expiry_month: "有效期月份无效。",
    invalid_expiry_year: "有效期年份无效。",
    invalid_expiry_year_past: "卡片已过期。",
    invalid_expiry_month_past: "卡片已过期。",
    incomplete_cvc: "安全码不完整。",
    incorrect_number: "卡号不正确。",
    test_mode_live_card: "这里只能使用沙盒测试卡，例如 4242 4242 4242 4242。请勿输入真实卡号。",
    no_answer: "银行卡服务没有应答，未扣款，请重试。",
  },
};

const digitsOf = (text) => text.replace(/\D/g, "");
const brandOf = (digits) => BRANDS.find((brand) => brand.starts.test(digits)) || UNKNOWN_BRAND;

function passesLuhn(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}

function grouped(digits, groups) {
  const parts = [];
  let start = 0;
  for (const size of groups) {
    if (start < digits.length) parts.push(digits.slice(start, start + size));
    start += size;
  }
  return parts.join(" ");
}

function expiryText(text) {
  let digits = digitsOf(text).slice(0, 4);
  if (/^[2-9]/.test(digits)) digits = `0${digits}`.slice(0, 4);
  if (digits.length < 2) return digits;
  const typedMore = digits.length > 2 || /^\d{2} ?\//.test(text);
  return typedMore ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
}

// Each returns "" or the code of what is wrong; `final` also calls the unfinished wrong.
function numberProblem(text, final) {
  const digits = digitsOf(text);
  const { lengths } = brandOf(digits);
  const longest = lengths[lengths.length - 1];
  if (!lengths.includes(digits.length)) return final || digits.length > longest ? "incomplete_number" : "";
  if (passesLuhn(digits)) return "";
  return final || digits.length === longest ? "invalid_number" : "";
}

function expiryProblem(text, final) {
  const digits = digitsOf(text);
  const month = Number(digits.slice(0, 2));
  if (digits.length >= 2 && (month < 1 || month > 12)) return "invalid_expiry_month";
  if (digits.length < 4) return final ? "incomplete_expiry" : "";
  const today = new Date();
  const year = 2000 + Number(digits.slice(2));
  if (year < today.getFullYear()) return "invalid_expiry_year_past";
  if (year === today.getFullYear() && month < today.getMonth() + 1) return "invalid_expiry_month_past";
  return year > today.getFullYear() + 50 ? "invalid_expiry_year" : "";
}

function cvcProblem(text, final, brand) {
  return final && digitsOf(text).length < brand.cvc ? "incomplete_cvc" : "";
}
