// The sum of the chosen articles, as the server will reckon it; it decides.
const form = document.querySelector("[data-refunding]");
const sum = form.querySelector("[data-sum]");
const { currency } = form.dataset;
const money = new Intl.NumberFormat(document.documentElement.lang || "en", { style: "currency", currency });
const exponent = money.resolvedOptions().maximumFractionDigits;

function reckon() {
  let minor = 0n;
  for (const input of form.querySelectorAll("[data-worth]")) {
    const worth = BigInt(input.dataset.worth);
    if (input.type === "checkbox") minor += input.checked ? worth : 0n;
    else if (Number(input.dataset.left) && /^\d+$/.test(input.value))
      minor += (worth * BigInt(input.value)) / BigInt(input.dataset.left);
  }
  sum.textContent = minor ? `${sum.dataset.words} ${money.format(Number(minor) / 10 ** exponent)}` : "";
}

form.addEventListener("input", reckon);
form.addEventListener("submit", () => setTimeout(() => form.querySelectorAll("button").forEach((b) => (b.disabled = true))));
reckon();
