// Links with data-opens-dialog load their page's form into the one dialog; without script they are ordinary links.
import htmx from "htmx.org";
import { keepTyped } from "./drafts.js";

const dialog = () => document.querySelector("[data-dialog]");

async function open(link) {
  const box = dialog();
  await keepTyped(); // The dialog shows what was typed beside it, as the server knows it.
  await htmx.ajax("GET", link.href, { target: box, swap: "innerHTML" });
  if (!box.open) box.showModal();
  const field = "input:not([type=hidden], [readonly]), textarea, select";
  (box.querySelector("[autofocus]") ?? box.querySelector(field) ?? box.querySelector("button[data-confirm]"))?.focus();
}

export function bindDialogs() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link);
      return;
    }
    if (event.target.closest("[data-close-dialog]")) {
      event.preventDefault();
      event.target.closest("dialog")?.close();
    }
  });
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.("dialog[open]");
    if (box && event.key === "Enter" && (event.ctrlKey || event.metaKey)) box.querySelector("form button[data-confirm]")?.click();
  });
}
