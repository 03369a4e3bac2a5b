// A select that sends its form when another value is chosen; the button for people without script goes away.
import { each } from "./once.js";

const arm = (select) => {
  select.addEventListener("change", () => select.form.requestSubmit());
  select.form.querySelector("[data-scripted-away]")?.remove();
};

export const bindSubmits = (root) => each(root, "[data-submits]", arm);
