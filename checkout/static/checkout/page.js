// On every page: times in the reader's own zone, countdowns, forms that say what is missing and are sent once.

const language = document.documentElement.lang;

function showLocalTimes(root) {
  const form = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = form.format(new Date(time.dateTime));
    time.removeAttribute("data-local");
  }
}

function countDown() {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    const left = Math.max(0, Math.round((new Date(time.dateTime) - Date.now()) / 1000));
    time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    const hold = time.closest(".hold");
    hold?.toggleAttribute("data-soon", left < 120);
    if (left === 0 && !time.dataset.over) {
      time.dataset.over = "yes";
      document.dispatchEvent(new CustomEvent("checkout:time-over", { detail: hold }));
    }
  }
}

function slotOf(control) {
  return document.getElementById(`${control.name}-error`);
}

function say(control, words) {
  const slot = slotOf(control);
  if (slot) slot.textContent = words;
  control.toggleAttribute("aria-invalid", false);
  if (words) control.setAttribute("aria-invalid", "true");
}

// True when every required field holds something; otherwise each says so and the first takes the focus.
function check(form) {
  let first = null;
  for (const control of form.elements) {
    if (!control.willValidate || !slotOf(control)) continue;
    const words = control.validity.valid ? "" : control.dataset.missing && control.validity.valueMissing
      ? control.dataset.missing : control.validationMessage;
    say(control, words);
    if (words) first ??= control;
  }
  first?.focus();
  return first === null;
}

function busy(form, on) {
  for (const button of form.querySelectorAll("button:not([type=button])")) {
    if (on) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
    button.setAttribute("aria-disabled", String(on));
  }
  if (on) form.dataset.sent = "yes";
  else delete form.dataset.sent;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if ("check" in form.dataset && !check(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if ("once" in form.dataset) busy(form, true);
}, true);

document.addEventListener("checkout:not-sent", (event) => busy(event.target, false));
document.addEventListener("input", (event) => {
  if (event.target.getAttribute("aria-invalid") && event.target.validity.valid) say(event.target, "");
});

// A page that comes back from the browser's cache must be ready to be sent again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) busy(form, false);
});

for (const form of document.querySelectorAll("form[data-check]")) form.noValidate = true;
document.querySelector("[data-focus]")?.focus();
document.addEventListener("htmx:afterSwap", (event) => showLocalTimes(event.target));
showLocalTimes(document);
countDown();
setInterval(countDown, 1000);
