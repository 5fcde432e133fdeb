// Keeps the list fresh without losing the reader's place or the focused button.
"use strict";
const PAUSE = 1500;
let shown = document.getElementById("live").innerHTML;

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
      if (answer.ok) show(await answer.text());
    } catch (error) {
      // the sandbox is restarting: try again at the next turn
    }
  }
  setTimeout(refresh, PAUSE);
}

function show(text) {
  const live = document.getElementById("live");
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  if (!fresh || fresh.innerHTML === shown) return;
  shown = fresh.innerHTML;
  const focused = document.activeElement && document.activeElement.closest("form");
  const address = focused && focused.getAttribute("action");
  for (const details of fresh.querySelectorAll("details")) {
    details.open = document.getElementById(details.id).open;
  }
  live.replaceChildren(...fresh.childNodes);
  if (address) {
    const again = live.querySelector(`form[action="${CSS.escape(address)}"] button`);
    if (again) again.focus();
  }
}

setTimeout(refresh, PAUSE);
