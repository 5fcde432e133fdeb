// The part of Stripe.js that a card page needs. The card's number never enters the page that loads this script:
// it is typed into a frame of the sandbox's own origin, and only a token comes back.
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript ? document.currentScript.src : location.href).origin;
  const KINDS = {
    card: "Secure card payment input frame",
    cardNumber: "Secure card number input frame",
    cardExpiry: "Secure expiration date input frame",
    cardCvc: "Secure CVC input frame",
  };

  function misuse(message) {
    const error = new Error(message);
    error.name = "IntegrationError";
    return error;
  }

  function randomName() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  class Element {
    constructor(kind, options, group) {
      if (!KINDS[kind]) throw misuse(`A valid Element name must be provided, not "${kind}".`);
      this._kind = kind;
      this._options = options || {};
      this._group = group;
      this._listeners = new Map();
      this._waiting = new Map();
      this._container = null;
      this._frame = null;
      this._receive = (event) => this._onMessage(event);
    }

    mount(target) {
      const container = typeof target === "string" ? document.querySelector(target) : target;
      if (!container) throw misuse(`The selector you specified (${target}) applies to no DOM elements.`);
      if (this._frame) this.unmount();
      const frame = document.createElement("iframe");
      const asked = { kind: this._kind, key: this._group.key, group: this._group.name, origin: location.origin };
      frame.src = `${ORIGIN}/stripe/js/card-field#${new URLSearchParams({ ...asked, locale: this._group.locale })}`;
      frame.title = KINDS[this._kind];
      frame.allow = "payment";
      frame.setAttribute("scrolling", "no");
      Object.assign(frame.style, {
        border: "0", display: "block", width: "100%", height: "1.5em", margin: "0", padding: "0", colorScheme: "light",
      });
      container.replaceChildren(frame);
      container.classList.add("StripeElement", "StripeElement--empty");
      this._container = container;
      this._frame = frame;
      window.addEventListener("message", this._receive);
    }

    unmount() {
      window.removeEventListener("message", this._receive);
      if (this._frame) this._frame.remove();
      this._frame = null;
      for (const settle of this._waiting.values()) settle({ error: { type: "validation_error", message: "unmounted" } });
      this._waiting.clear();
    }

    destroy() { this.unmount(); this._listeners.clear(); }
    focus() { this._send({ type: "focus" }); }
    blur() { this._send({ type: "blur" }); }
    clear() { this._send({ type: "clear" }); }

    update(options) {
      this._options = { ...this._options, ...options };
      this._configure();
    }

    on(name, listener) {
      if (!this._listeners.has(name)) this._listeners.set(name, new Set());
      this._listeners.get(name).add(listener);
      return this;
    }

    off(name, listener) {
      if (listener && this._listeners.has(name)) this._listeners.get(name).delete(listener);
      else this._listeners.delete(name);
      return this;
    }

    _configure() {
      const { style = {}, disabled = false, hideIcon = false, placeholder = "" } = this._options;
      this._send({ type: "configure", style, disabled, hideIcon, placeholder });
    }

    _send(message) {
      if (this._frame) this._frame.contentWindow.postMessage({ sandboxStripe: message }, ORIGIN);
    }

    _emit(name, event) {
      for (const listener of this._listeners.get(name) || []) listener({ elementType: this._kind, ...event });
    }

    _onMessage(event) {
      if (event.origin !== ORIGIN || !this._frame || event.source !== this._frame.contentWindow) return;
      const message = event.data && event.data.sandboxStripe;
      if (!message) return;
      const { type, ...told } = message;
      if (type === "ready") { this._configure(); this._emit("ready", {}); }
      if (type === "height") this._frame.style.height = `${Number(told.value) || 24}px`;
      if (type === "change") this._changed(told);
      if (type === "focus" || type === "blur") {
        this._container.classList.toggle("StripeElement--focus", type === "focus");
        this._emit(type, {});
      }
      if (type === "submit") this._submit();
      if (type === "tokenised" && this._waiting.has(told.nonce)) {
        this._waiting.get(told.nonce)(told.error ? { error: told.error } : { paymentMethod: told.paymentMethod });
        this._waiting.delete(told.nonce);
      }
    }

    _changed({ empty, complete, error, brand }) {
      const classes = this._container.classList;
      classes.toggle("StripeElement--empty", empty);
      classes.toggle("StripeElement--complete", complete);
      classes.toggle("StripeElement--invalid", Boolean(error));
      this._emit("change", { empty, complete, error: error || undefined, brand, value: { postalCode: "" } });
    }

    _submit() {
      const form = this._container.closest("form");
      if (form) form.requestSubmit();
    }

    _tokenise(billing) {
      if (!this._frame) return Promise.reject(misuse("The card Element is not mounted."));
      const nonce = randomName();
      return new Promise((settle) => {
        this._waiting.set(nonce, settle);
        this._send({ type: "tokenise", nonce, billing });
      });
    }
  }

  function elements(key, { locale = "auto" } = {}) {
    const language = locale === "auto" ? document.documentElement.lang || navigator.language : locale;
    const group = { key, name: randomName(), locale: language };
    const made = new Map();
    return {
      create(kind, options) {
        if (made.has(kind)) throw misuse(`Can only create one Element of type ${kind} through this Elements.`);
        const element = new Element(kind, options, group);
        made.set(kind, element);
        return element;
      },
      getElement: (kind) => made.get(kind) || null,
    };
  }

  function Stripe(key, options = {}) {
    if (typeof key !== "string" || !key.startsWith("pk_")) {
      throw misuse("Please call Stripe() with your publishable key. You used an empty string or another key.");
    }
    return {
      elements: (asked) => elements(key, { locale: options.locale, ...asked }),
      async createPaymentMethod({ type, card, billing_details: billing = {} } = {}) {
        if (type !== "card" || !(card instanceof Element)) {
          throw misuse("createPaymentMethod() takes {type: 'card', card: Element}.");
        }
        return card._tokenise(billing);
      },
    };
  }
  Stripe.version = 3;
  window.Stripe = Stripe;
})();
