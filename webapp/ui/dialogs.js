// Links with data-opens-dialog load their page's form into the one dialog; without script they are ordinary links.
import htmx from "htmx.org";
import { keepTyped } from "./drafts.js";

const FIELD = "input:not([type=hidden], [readonly]), textarea, select";
const dialog = () => document.querySelector("[data-dialog]");

// A dialog that is a page of its own, since it is about several things: its keys are the same.
const pageDialog = () => (document.querySelector("dialog[open]") ? null : document.querySelector(".dialog-page"));

async function open(link) {
  const box = dialog();
  // A menu does not stay open behind the dialog, and whoever closes that stands at its button again.
  const menu = link.closest("details[data-menu]");
  if (menu?.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu?.removeAttribute("open");
  await keepTyped(); // The dialog shows what was typed beside it, as the server knows it.
  await htmx.ajax("GET", link.href, { target: box, swap: "innerHTML" });
  if (!box.open) box.showModal();
  (box.querySelector("[autofocus]") ?? box.querySelector(FIELD) ?? box.querySelector("button[data-confirm]"))?.focus();
}

// What is being typed is sent by the same keys: a remark, an answer, the fields of a task.
const confirmOf = (form) => form?.elements && [...form.elements].find((field) => field.matches("button[data-confirm]"));

export function bindDialogs() {
  // What is asked for comes after the list of what it is about, which stays in sight.
  pageDialog()?.querySelector(":is(select, textarea, [type=datetime-local])")?.focus({ preventScroll: true });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link);
      return;
    }
    const box = event.target.closest("[data-close-dialog]")?.closest("dialog");
    if (box) {
      event.preventDefault();
      box.close();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const box = event.target.closest?.("dialog[open]") ?? pageDialog();
    (box ? box.querySelector("form button[data-confirm]") : confirmOf(event.target.form))?.click();
  });
}
