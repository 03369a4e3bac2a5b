// Rows that are ticked: a bar appears that says how many, and acts on all of them. Without this file the bar is always there.
import { each } from "./once.js";

const ticks = () => [...document.querySelectorAll("[data-tick]")];
const bar = () => document.querySelector("[data-bulk]");
export const isSelecting = () => ticks().some((tick) => tick.checked);

let last = null;

function show() {
  const form = bar();
  if (!form) return;
  const count = ticks().filter((tick) => tick.checked).length;
  form.hidden = count === 0;
  form.querySelector("[data-bulk-count]").textContent = count === 1 ? "1 selected" : `${count} selected`;
  form.querySelector("[data-bulk-clear]").hidden = false;
  for (const tick of ticks()) tick.closest("[data-row]").classList.toggle("item-chosen", tick.checked);
}

export function tickRow(item, isRange) {
  const tick = item?.closest("[data-row]")?.querySelector("[data-tick]");
  if (!tick) return;
  const all = ticks();
  const from = isRange && last ? all.indexOf(last) : -1;
  if (from >= 0) {
    const to = all.indexOf(tick);
    for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) one.checked = true;
  } else tick.checked = !tick.checked;
  last = tick;
  show();
}

export function tickAll() {
  const all = ticks();
  const every = all.every((tick) => tick.checked);
  for (const tick of all) tick.checked = !every;
  show();
}

export function pressBulk(name) {
  const button = isSelecting() && bar()?.querySelector(`[data-bulk-key="${name}"]`);
  if (!button) return false;
  button.click();
  return true;
}

function arm(form) {
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-tick]")) return;
    last = event.target;
    show();
  });
  document.addEventListener("click", (event) => {
    const tick = event.target.closest?.("[data-tick]");
    if (!tick || !event.shiftKey || !last || last === tick) return;
    const all = ticks();
    const [from, to] = [all.indexOf(last), all.indexOf(tick)];
    for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) one.checked = tick.checked;
  });
  form.querySelector("[data-bulk-clear]").addEventListener("click", () => {
    for (const tick of ticks()) tick.checked = false;
    show();
  });
  // A page that comes back from the browser's memory may have ticks already.
  show();
  addEventListener("pageshow", show);
}

export const bindBulk = (root) => each(root, "[data-bulk]", arm);
