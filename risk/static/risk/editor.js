// Names in the editor of rules: a click puts one in, Tab completes the one that is begun.
"use strict";

(() => {
  const names = [...document.querySelectorAll("button[data-name]")].map((one) => one.dataset.name);
  const areas = [...document.querySelectorAll("textarea[data-expression]")];
  let last = areas[areas.length - 1];

  const put = (area, text, replaced) => {
    const end = area.selectionStart;
    area.setRangeText(text, end - replaced, end, "end");
    area.focus();
  };

  // Where several begin so, what they have in common is completed.
  const common = (found) =>
    found.reduce((one, other) => {
      let length = 0;
      while (length < one.length && one[length] === other[length]) length += 1;
      return one.slice(0, length);
    });

  for (const area of areas) {
    area.addEventListener("focus", () => {
      last = area;
    });
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || event.shiftKey) return;
      const begun = /[a-z_.]+$/.exec(area.value.slice(0, area.selectionStart));
      const found = begun ? names.filter((name) => name.startsWith(begun[0]) && name !== begun[0]) : [];
      if (!found.length || common(found) === begun[0]) return;
      event.preventDefault();
      put(area, common(found), begun[0].length);
    });
  }
  for (const button of document.querySelectorAll("button[data-name]")) {
    button.addEventListener("click", () => last && put(last, button.dataset.name, 0));
  }
})();
