import { each } from "./once.js";

const fade = (toast) => {
  if (!toast.classList.contains("notice-bad")) setTimeout(() => toast.remove(), 8000);
};

export const bindToasts = (root) => each(root, "[data-toast]", fade);
