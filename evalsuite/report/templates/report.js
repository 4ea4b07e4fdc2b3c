"use strict";
// Filters the answers that changed. Without it all are shown.
for (const box of document.querySelectorAll("[data-flips]")) {
  const form = box.querySelector("form");
  const items = [...box.querySelectorAll("article")];
  const texts = items.map((item) => item.textContent.toLowerCase());
  const value = (name) => form.querySelector(`[data-by=${name}]`).value;
  const apply = () => {
    const kind = value("kind"), ability = value("ability"), text = value("text").toLowerCase();
    let shown = 0;
    items.forEach((item, index) => {
      const fits = (!kind || item.dataset.kind === kind)
        && (!ability || item.dataset.ability === ability)
        && (!text || texts[index].includes(text));
      item.hidden = !fits;
      shown += fits;
    });
    form.querySelector("output").textContent = `${shown} of ${items.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
