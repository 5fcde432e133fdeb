// The card fields: an iframe of the provider's, which turns the card into a token. The number never comes here.

const box = document.getElementById("card");
const form = box?.closest("form");

if (form) setUp();

function setUp() {
  const token = document.getElementById("instrument");
  const error = document.getElementById("card-error");
  const frame = document.getElementById("card-fields");
  const fresh = box.querySelector("[data-card-new]");
  const kept = box.querySelector("[data-card-kept]");
  const card = mount(frame, error);
  let sending = false;

  kept.querySelector("button").addEventListener("click", () => {
    token.value = "";
    kept.hidden = true;
    fresh.hidden = false;
    card?.element.focus?.();
  });

  form.addEventListener("submit", async (event) => {
    if (form.elements.method.value !== "card") {
      token.value = "";
      return;
    }
    if (token.value || sending) return;
    event.preventDefault();
    sending = true;
    const problem = card ? await tokenise(card, token) : box.dataset.unreachable;
    sending = false;
    if (problem) {
      show(problem);
      form.dispatchEvent(new CustomEvent("checkout:not-sent", { bubbles: true }));
      return;
    }
    form.submit();
  });

  function show(words) {
    error.textContent = words;
    frame.toggleAttribute("data-invalid", Boolean(words));
    if (words) card?.element.focus?.();
  }

  card?.element.on?.("change", (event) => show(event.error?.message ?? ""));
}

function mount(frame, error) {
  if (typeof window.Stripe !== "function") {
    error.textContent = box.dataset.unreachable;
    return null;
  }
  const provider = window.Stripe(box.dataset.key, { locale: box.dataset.locale });
  const elements = provider.elements({ locale: box.dataset.locale });
  const element = elements.create("card", {
    hidePostalCode: true,
    style: { base: { fontSize: "16px", color: "#13201b" }, invalid: { color: "#a8231c" } },
  });
  element.mount("#card-fields");
  return { provider, element };
}

async function tokenise({ provider, element }, token) {
  const value = (name) => form.elements[name]?.value || undefined;
  try {
    const { paymentMethod, error } = await provider.createPaymentMethod({
      type: "card",
      card: element,
      billing_details: { name: value("name"), email: value("email") },
    });
    if (error) return error.message || box.dataset.incomplete;
    token.value = paymentMethod.id;
    return "";
  } catch {
    return box.dataset.unreachable;
  }
}
