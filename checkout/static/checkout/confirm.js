// The customer confirms a payment: the browser solves altcha's puzzle, or asks for a passkey, or makes one.

import { read, written } from "./passkey.js";

const BATCH = 500;

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function solve({ algorithm, challenge, salt, signature, maxNumber }) {
  for (let from = 0; from <= maxNumber; from += BATCH) {
    const tried = await Promise.all(Array.from({ length: BATCH }, (_, step) => digest(salt + (from + step))));
    const found = tried.indexOf(challenge);
    if (found >= 0) return btoa(JSON.stringify({ algorithm, challenge, number: from + found, salt, signature }));
  }
  throw new Error("no solution");
}

async function sign(options) {
  const publicKey = read(options);
  return JSON.stringify(written(await navigator.credentials.get({ publicKey })));
}

async function make(options) {
  const publicKey = read(options);
  return JSON.stringify(written(await navigator.credentials.create({ publicKey })));
}

const TASKS = { captcha: solve, passkey: sign, "new-passkey": make };

function offer() {
  const form = document.getElementById("task");
  const possible = form?.dataset.kind === "captcha" ? crypto.subtle : window.PublicKeyCredential;
  if (!form || form.dataset.ready || !possible) return;
  form.dataset.ready = "yes";
  const button = form.querySelector("button");
  const error = document.getElementById("task-error");
  button.disabled = false;
  form.querySelector("[data-without-script]").hidden = true;
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    error.textContent = "";
    button.setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    try {
      form.elements.answer.value = await TASKS[form.dataset.kind](JSON.parse(form.dataset.task));
      form.submit();
    } catch {
      error.textContent = form.dataset.failed;
      button.removeAttribute("aria-busy");
      button.setAttribute("aria-disabled", "false");
    }
  });
}

document.addEventListener("htmx:afterSwap", offer);
offer();
