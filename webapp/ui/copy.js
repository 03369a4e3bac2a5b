import { each } from "./once.js";

const arm = (button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.setAttribute("aria-label", "Copied");
    button.classList.add("badge-good");
  });
};

export const bindCopy = (root) => each(root, "[data-copy]", arm);
