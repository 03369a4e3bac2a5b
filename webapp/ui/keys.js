// Keys for people who decide all day. Single letters are silent while one types and can be turned off in the list of keys.
import { pressBulk, tickAll, tickRow } from "./bulk.js";
import { enterRow, leavePane, togglePane } from "./pane.js";
import { moveDifference, tickLine } from "./redline.js";

const GOES = { i: "/inbox", m: "/inbox?box=mine", s: "/inbox?box=snoozed", w: "/inbox?box=watching", d: "/inbox?box=decided", r: "/inbox?box=requests" };
const PRESSES = { e: "claim", a: "approve", r: "reject", b: "return", c: "comment", f: "forward", z: "snooze", w: "why", t: "sides" };
const PAUSE = 1500;
let begun = "";

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]");
const items = () => [...document.querySelectorAll("[data-item]")];

function currentIndex(all) {
  const focused = all.indexOf(document.activeElement);
  return focused >= 0 ? focused : all.findIndex((item) => item.hasAttribute("aria-current"));
}

const currentItem = () => {
  const all = items();
  return all[Math.max(0, currentIndex(all))];
};

// The first key of two; after a while it is forgotten.
function begin(key) {
  begun = key;
  setTimeout(() => (begun = ""), PAUSE);
}

function move(step) {
  const all = items();
  if (all.length === 0) return;
  const current = currentIndex(all);
  const next = all[Math.min(all.length - 1, Math.max(0, current + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  if (matchMedia("(min-width: 60rem)").matches) next.click();
}

function press(name) {
  if (pressBulk(name)) return;
  const target = document.querySelector(`[data-key="${name}"]`);
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = !target.open;
  else if (target.matches("input, textarea")) target.focus();
  else target.click();
}

function showKeys() {
  document.querySelector("[data-keys-dialog]")?.showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") return showKeys();
  if (document.body.dataset.keys !== "on") return;
  if (begun) {
    const [first, key] = [begun, event.key];
    begun = "";
    if (first === "g" && GOES[key]) location.assign(GOES[key]);
    if (first === "*" && key === "a") tickAll();
    return;
  }
  if (event.key === "Enter" && document.activeElement.matches("[data-item]")) {
    event.preventDefault();
    return enterRow(document.activeElement);
  }
  const act = {
    g: () => begin("g"),
    "*": () => begin("*"),
    x: () => tickRow(currentItem(), false),
    X: () => tickRow(currentItem(), true),
    "[": () => togglePane("rail"),
    "]": () => togglePane("list"),
    j: () => move(1),
    k: () => move(-1),
    n: () => moveDifference(1),
    p: () => moveDifference(-1),
    v: tickLine,
    o: () => currentItem() && enterRow(currentItem()),
    u: () => leavePane() || press("list"),
    "/": () => document.querySelector("[data-search]")?.focus(),
  }[event.key];
  if (act) act();
  else if (PRESSES[event.key]) press(PRESSES[event.key]);
  else if (/^[1-7]$/.test(event.key)) document.querySelectorAll("[data-tab]")[Number(event.key) - 1]?.click();
  else return;
  event.preventDefault();
}

export function bindKeys() {
  document.addEventListener("keydown", onKey);
  for (const button of document.querySelectorAll("[data-show-keys]")) {
    button.hidden = false;
    button.addEventListener("click", showKeys);
  }
}
