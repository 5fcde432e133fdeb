// How a form is filled in: how long, how fast, how often pasted, and what the browser looks like. Never what is typed.

const FORM = "form[data-conduct]";
const LONGEST_PAUSE = 5000; // between two keys, in ms: longer is thinking, not typing
const MOST_PAUSES = 400;
const began = performance.now();
const pauses = [];
let keys = 0;
let pastes = 0;
let visitor = "";
let last = { field: null, at: 0 };

function middle(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)]);
}

document.addEventListener("keydown", (event) => {
  // What a browser fills in by itself comes with events that name no key.
  const typed = event.key?.length === 1 || event.key === "Backspace" || event.key === "Delete";
  if (!typed || event.repeat || event.ctrlKey || event.metaKey || !event.target.closest?.(FORM)) return;
  const now = performance.now();
  if (last.field === event.target && now - last.at < LONGEST_PAUSE && pauses.length < MOST_PAUSES) {
    pauses.push(now - last.at);
  }
  last = { field: event.target, at: now };
  keys += 1;
}, true);

document.addEventListener("paste", (event) => {
  if (event.target.closest?.(FORM)) pastes += 1;
}, true);

document.addEventListener("formdata", (event) => {
  if (!event.target.matches(FORM)) return;
  const told = { visitor, seconds: Math.round((performance.now() - began) / 1000), keys, pastes };
  if (pauses.length) told.tempo = middle(pauses);
  event.formData.set("conduct", JSON.stringify(told));
});

try {
  const agent = await window.FingerprintJS.load({ monitoring: false });
  visitor = (await agent.get()).visitorId;
} catch {
  visitor = ""; // blocked or too old: the rest is measured all the same
}
