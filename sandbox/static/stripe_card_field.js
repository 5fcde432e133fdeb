// The frame where a card is typed. Values stay in these inputs; the number leaves them only for the sandbox's API.
"use strict";

const asked = new URLSearchParams(location.hash.slice(1));
const KIND = ["card", "cardNumber", "cardExpiry", "cardCvc"].includes(asked.get("kind")) ? asked.get("kind") : "card";
const PAGE = asked.get("origin") || "";
const LANGUAGE = (asked.get("locale") || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
const words = WORDS[LANGUAGE];

const field = document.getElementById("field");
const badge = document.getElementById("brand");
const inputs = Object.fromEntries(["number", "expiry", "cvc"].map((name) => [name, document.getElementById(name)]));
const PARTS = { card: ["number", "expiry", "cvc"], cardNumber: ["number"], cardExpiry: ["expiry"], cardCvc: ["cvc"] }[KIND];
// Separate fields of one form are frames of this origin: they hand their values to the number's frame here.
const siblings = new BroadcastChannel(`card-${asked.get("group")}`);
const touched = new Set();
let hideIcon = false;

function tell(message) {
  if (PAGE) parent.postMessage({ sandboxStripe: message }, PAGE);
}

function brand() {
  return brandOf(digitsOf(inputs.number.value));
}

function problemOf(part, final) {
  const text = inputs[part].value;
  if (part === "number") return numberProblem(text, final);
  return part === "expiry" ? expiryProblem(text, final) : cvcProblem(text, final, brand());
}

function validationError(code) {
  return { type: "validation_error", code, message: words[code] || WORDS.en[code] };
}

function firstProblem(final) {
  const codes = PARTS.map((part) => (final || inputs[part].value ? problemOf(part, final || touched.has(part)) : ""));
  PARTS.forEach((part, place) => inputs[part].setAttribute("aria-invalid", String(Boolean(codes[place]))));
  return codes.find(Boolean) || "";
}

function report(final = false) {
  const code = firstProblem(final);
  const empty = PARTS.every((part) => !inputs[part].value);
  const complete = PARTS.every((part) => !problemOf(part, true));
  tell({ type: "change", empty, complete, brand: brand().name, error: code ? validationError(code) : null });
}

// Writes `text` and keeps the caret behind the same digit as before.
function rewrite(input, text) {
  if (input.value === text) return;
  const before = digitsOf(input.value.slice(0, input.selectionStart || 0)).length;
  const atEnd = (input.selectionStart || 0) >= input.value.length;
  input.value = text;
  let place = 0;
  for (let seen = 0; place < text.length && seen < before; place += 1) if (/\d/.test(text[place])) seen += 1;
  if (document.activeElement === input) input.setSelectionRange(...Array(2).fill(atEnd ? text.length : place));
}

function format(part, erasing) {
  const input = inputs[part];
  const { lengths, groups, cvc, name, label } = brand();
  if (part === "number") {
    rewrite(input, grouped(digitsOf(input.value).slice(0, lengths[lengths.length - 1]), groups));
    badge.textContent = label;
    badge.className = name;
    siblings.postMessage({ brand: name });
  }
  if (part === "expiry" && !erasing) rewrite(input, expiryText(input.value));
  if (part === "cvc") rewrite(input, digitsOf(input.value).slice(0, KIND === "card" ? cvc : 4));
}

function moveOn(part) {
  const next = PARTS[PARTS.indexOf(part) + 1];
  const input = inputs[part];
  const full = part === "number" ? digitsOf(input.value).length >= brand().lengths[0] : digitsOf(input.value).length === 4;
  if (next && full && !problemOf(part, true) && input.selectionStart === input.value.length) inputs[next].focus();
}

function listen(part) {
  const input = inputs[part];
  input.addEventListener("input", (event) => {
    const erasing = (event.inputType || "").startsWith("delete");
    format(part, erasing);
    touched.delete(part);
    report();
    if (!erasing && part !== "cvc") moveOn(part);
  });
  input.addEventListener("keydown", (event) => {
    const previous = PARTS[PARTS.indexOf(part) - 1];
    if (event.key === "Backspace" && !input.value && previous) { event.preventDefault(); inputs[previous].focus(); }
  });
  input.addEventListener("focus", () => tell({ type: "focus" }));
  input.addEventListener("blur", () => {
    if (input.value) touched.add(part);
    report();
    tell({ type: "blur" });
  });
}

function applyStyle({ base = {}, invalid = {} }) {
  const names = {
    "--color": base.color, "--family": base.fontFamily, "--size": base.fontSize, "--weight": base.fontWeight,
    "--height": base.lineHeight, "--spacing": base.letterSpacing, "--icon": base.iconColor,
    "--quiet": (base["::placeholder"] || {}).color, "--invalid": invalid.color,
  };
  for (const [name, value] of Object.entries(names)) {
    if (value) document.documentElement.style.setProperty(name, String(value));
  }
}

function configure({ style, disabled, hideIcon: hide, placeholder }) {
  applyStyle(style || {});
  hideIcon = Boolean(hide);
  badge.hidden = hideIcon;
  for (const part of PARTS) inputs[part].disabled = Boolean(disabled);
  if (placeholder && KIND !== "card") inputs[PARTS[0]].placeholder = String(placeholder);
}

// The other frames' values, asked for and answered over the siblings' channel.
function collect() {
  if (KIND === "card") return Promise.resolve({ expiry: inputs.expiry.value, cvc: inputs.cvc.value });
  return new Promise((settle) => {
    const values = { expiry: "", cvc: "" };
    const take = ({ data }) => {
      if (data.part) values[data.part] = data.value;
      if (values.expiry && values.cvc) done();
    };
    const done = () => { siblings.removeEventListener("message", take); settle(values); };
    siblings.addEventListener("message", take);
    siblings.postMessage({ collect: true });
    setTimeout(done, 1000);
  });
}

siblings.addEventListener("message", ({ data }) => {
  if (data.collect && KIND !== "card" && PARTS[0] !== "number") {
    siblings.postMessage({ part: PARTS[0], value: inputs[PARTS[0]].value });
    report(true);
  }
});

async function tokenise({ nonce, billing }) {
  const { expiry, cvc } = await collect();
  const code = numberProblem(inputs.number.value, true) || expiryProblem(expiry, true) || cvcProblem(cvc, true, brand());
  if (code) {
    report(true);
    tell({ type: "tokenised", nonce, error: validationError(code) });
    return;
  }
  const dates = digitsOf(expiry);
  const form = new URLSearchParams({
    type: "card",
    "card[number]": digitsOf(inputs.number.value),
    "card[exp_month]": dates.slice(0, 2),
    "card[exp_year]": `20${dates.slice(2)}`,
    "card[cvc]": digitsOf(cvc),
  });
  flatten(form, "billing_details", billing || {});
  tell({ type: "tokenised", nonce, ...(await send(form)) });
}

function flatten(form, name, value) {
  if (value && typeof value === "object") {
    for (const [inner, one] of Object.entries(value)) flatten(form, `${name}[${inner}]`, one);
  } else if (value !== undefined && value !== null && value !== "") {
    form.append(name, String(value));
  }
}

async function send(form) {
  try {
    const headers = { Authorization: `Bearer ${asked.get("key")}` };
    const answer = await fetch("/stripe/v1/payment_methods", { method: "POST", headers, body: form });
    const told = await answer.json();
    if (answer.ok) return { paymentMethod: told };
    const { error } = told;
    return { error: { ...error, message: words[error.decline_code] || words[error.code] || error.message } };
  } catch (trouble) {
    return { error: { type: "api_connection_error", code: "no_answer", message: words.no_answer } };
  }
}

window.addEventListener("message", (event) => {
  if (event.source !== parent || event.origin !== PAGE) return;
  const message = event.data && event.data.sandboxStripe;
  if (!message) return;
  if (message.type === "configure") configure(message);
  if (message.type === "focus") inputs[PARTS[0]].focus();
  if (message.type === "blur" && document.activeElement) document.activeElement.blur();
  if (message.type === "clear") { for (const part of PARTS) inputs[part].value = ""; touched.clear(); report(); }
  if (message.type === "tokenise" && PARTS.includes("number")) tokenise(message);
});

document.documentElement.lang = LANGUAGE;
field.dataset.kind = KIND;
inputs.number.placeholder = words.number;
inputs.expiry.placeholder = words.expiry;
inputs.cvc.placeholder = words.cvc;
inputs.number.setAttribute("aria-label", words.number);
inputs.expiry.setAttribute("aria-label", words.expiryLabel);
inputs.cvc.setAttribute("aria-label", words.cvcLabel);
field.addEventListener("submit", (event) => { event.preventDefault(); tell({ type: "submit" }); });
for (const part of PARTS) listen(part);
new ResizeObserver(() => tell({ type: "height", value: Math.ceil(field.getBoundingClientRect().height) })).observe(field);
tell({ type: "ready" });
