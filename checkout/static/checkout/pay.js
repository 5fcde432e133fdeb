// The payment page: looks again at once when something may have happened, and says when it cannot.

const look = () => {
  const part = document.getElementById("pay-status");
  if (part) window.htmx?.trigger(part, "look");
};

// The provider's last page in our frame is our own return page: it asks us to go on.
window.addEventListener("message", (event) => {
  const frame = document.querySelector("iframe.challenge");
  if (!frame || event.origin !== location.origin || event.source !== frame.contentWindow) return;
  if (event.data === "checkout:returned") location.assign(frame.dataset.continue);
});

// Back from the wallet's app, or the network is back.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
window.addEventListener("pageshow", (event) => event.persisted && look());
window.addEventListener("online", look);

document.addEventListener("checkout:time-over", (event) => {
  const words = event.detail?.querySelector("span");
  if (words && event.detail.dataset.over) words.textContent = event.detail.dataset.over;
  look();
});

const offline = document.getElementById("offline");
document.addEventListener("htmx:sendError", () => { offline.hidden = false; });
document.addEventListener("htmx:timeout", () => { offline.hidden = false; });
document.addEventListener("htmx:afterOnLoad", () => { offline.hidden = true; });

// The provider's page that is reached by a form: sent by itself once, so that Back does not lead there again.
const send = () => {
  const form = document.querySelector("form[data-send]");
  if (!form || sessionStorage.getItem(form.dataset.send)) return;
  sessionStorage.setItem(form.dataset.send, "sent");
  form.submit();
};
document.addEventListener("htmx:afterSwap", send);
send();

// What a transfer needs, ready to paste; without a script the texts are selected as a whole.
const offerCopies = () => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const said = document.getElementById("copied");
  said.textContent = `${said.dataset.words}: ${button.dataset.copy}`;
  button.textContent = said.dataset.words;
});
document.addEventListener("htmx:afterSwap", offerCopies);
offerCopies();
