// The pane beside the list: marks the open row, shows the pane alone on a phone, and notes which version one has seen.
import { each } from "./once.js";

const GLANCE = 1500;

function noteSeen(review) {
  const { seen, version, proof } = review.dataset;
  if (!seen) return;
  setTimeout(() => {
    if (review.isConnected) fetch(seen, { method: "POST", body: new URLSearchParams({ version, form_proof: proof }) });
  }, GLANCE);
}

function onSwap(event) {
  if (!event.target.matches("[data-pane]")) return;
  const frame = event.target.closest("[data-inbox]");
  const id = event.target.querySelector("[data-review]")?.dataset.task;
  for (const row of frame.querySelectorAll("[data-item]")) {
    if (row.dataset.item === id) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  frame.classList.add("inbox-open");
  event.target.scrollTop = 0;
  if (enters) event.target.focus();
  enters = false;
  if (matchMedia("(max-width: 60rem)").matches) scrollTo(0, 0);
}

// The row whose review stands beside it: loading that again would lose what is being typed there. On a phone the pane is not shown
// beside the list, so the row opens it.
function openRow(event) {
  const row = event.target.closest?.("[data-item]");
  const pane = row?.closest("[data-inbox]")?.querySelector("[data-pane]");
  return pane?.offsetParent && pane.querySelector("[data-review]")?.dataset.task === row.dataset.item;
}

function keepOpen(event) {
  if (openRow(event)) event.preventDefault();
}

const pane = () => document.querySelector("[data-pane]");
let enters = false;

// Opens a row and goes into its review: the next Tab stands in it, not behind all the other rows.
export function enterRow(row) {
  if (pane()?.querySelector("[data-review]")?.dataset.task === row.dataset.item) pane().focus();
  else enters = true;
  row.click();
}

// Goes from the review back to its row; false where there is no list beside it.
export function leavePane() {
  const row = matchMedia("(min-width: 60rem)").matches && document.querySelector("[data-item][aria-current]");
  row?.focus?.();
  return Boolean(row);
}

// A press on the row would take the focus out of the field that is being typed in; the keys still give it to the row.
function keepFocus(event) {
  if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && openRow(event)) event.preventDefault();
}

const hiddenPanes = () => (localStorage.getItem("hidden-panes") ?? "").split(" ").filter(Boolean);

function showPanes() {
  const frame = document.querySelector("[data-inbox]");
  for (const name of ["rail", "list"]) frame?.classList.toggle(`inbox-without-${name}`, hiddenPanes().includes(name));
}

// Collapses the rail or the list, and remembers it: who reads long documents all day wants the width.
export function togglePane(name) {
  const hidden = hiddenPanes();
  localStorage.setItem("hidden-panes", (hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name]).join(" "));
  showPanes();
}

export function bindPane() {
  document.addEventListener("htmx:afterSwap", onSwap);
  document.addEventListener("htmx:beforeRequest", keepOpen);
  document.addEventListener("mousedown", keepFocus);
  showPanes();
}

export const bindSeen = (root) => each(root, "[data-review]", noteSeen);
