// Differences one after the other, told in a sentence; the line one stands at is ticked by a key. Without this file they are links.
const all = () => [...document.querySelectorAll("[data-difference]")];
const current = () => document.querySelector(".difference-current");

function standAt(found) {
  current()?.classList.remove("difference-current");
  found.closest("details")?.setAttribute("open", "");
  found.classList.add("difference-current");
  found.focus({ preventScroll: true });
  found.scrollIntoView({ block: "center" });
  const told = document.querySelector("[data-redline-said]");
  const list = all();
  if (told) told.textContent = `${list.indexOf(found) + 1} of ${list.length}: ${found.dataset.sentence}`;
}

export function moveDifference(step) {
  const list = all();
  if (list.length === 0) return;
  const here = list.indexOf(current());
  standAt(list[here < 0 ? (step > 0 ? 0 : list.length - 1) : (here + step + list.length) % list.length]);
}

export function tickLine() {
  const line = current()?.closest("[data-line]");
  const button = line ? line.querySelector("[data-viewed]") : document.querySelector('[data-viewed][aria-pressed="false"]');
  button?.click();
}

function onClick(event) {
  const step = event.target.closest("[data-step]");
  if (!step) return;
  event.preventDefault();
  moveDifference(Number(step.dataset.step));
}

// After the part of the page was drawn anew one stands where one stood.
let stood = "";
export function bindRedline() {
  document.addEventListener("click", onClick);
  document.addEventListener("htmx:beforeSwap", () => (stood = current()?.id ?? ""));
  document.addEventListener("htmx:afterSettle", () => {
    const again = stood && document.getElementById(stood);
    stood = "";
    if (again) standAt(again);
  });
}
