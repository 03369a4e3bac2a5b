import { each } from "./once.js";

// The graph of a trace: larger, smaller, whole, back to the lot; dragged with the mouse, zoomed with Ctrl and the wheel. Without this it scrolls.
const LEAST = 0.25;
const MOST = 2;

const arm = (trace) => {
  const frame = trace.querySelector("[data-trace-frame]");
  const drawing = trace.querySelector("[data-trace-svg]");
  const width = Number(drawing.getAttribute("width"));
  const height = Number(drawing.getAttribute("height"));
  let scale = 1;

  const zoom = (wanted, x = frame.clientWidth / 2, y = frame.clientHeight / 2) => {
    const next = Math.min(MOST, Math.max(LEAST, wanted));
    const [left, top] = [(frame.scrollLeft + x) / scale, (frame.scrollTop + y) / scale];
    scale = next;
    drawing.setAttribute("width", Math.round(width * scale));
    drawing.setAttribute("height", Math.round(height * scale));
    frame.scrollTo(left * scale - x, top * scale - y);
  };
  const whole = () => zoom(Math.min(frame.clientWidth / width, Math.max(frame.clientHeight, 320) / height, 1));
  const focus = () => {
    const box = trace.querySelector("[data-trace-focus]")?.getBoundingClientRect();
    if (!box) return;
    const around = frame.getBoundingClientRect();
    frame.scrollBy(box.left - around.left - (around.width - box.width) / 2, box.top - around.top - (around.height - box.height) / 2);
  };
  const verbs = { in: () => zoom(scale * 1.25), out: () => zoom(scale / 1.25), fit: whole, focus: () => (zoom(1), focus()) };

  trace.querySelector("[data-trace-tools]").hidden = false;
  for (const button of trace.querySelectorAll("[data-trace-zoom]")) button.addEventListener("click", verbs[button.dataset.traceZoom]);
  frame.addEventListener("keydown", (event) => {
    const verb = { "+": "in", "=": "in", "-": "out", 0: "focus" }[event.key];
    if (!verb || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    verbs[verb]();
  });
  frame.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const around = frame.getBoundingClientRect();
      zoom(scale * (event.deltaY < 0 ? 1.1 : 1 / 1.1), event.clientX - around.left, event.clientY - around.top);
    },
    { passive: false },
  );
  let held = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest("a")) held = event.pointerId;
    if (held !== null) frame.setPointerCapture(held);
    frame.toggleAttribute("data-dragging", held !== null);
  });
  frame.addEventListener("pointermove", (event) => held === event.pointerId && frame.scrollBy(-event.movementX, -event.movementY));
  for (const end of ["pointerup", "pointercancel"]) {
    frame.addEventListener(end, () => {
      held = null;
      frame.removeAttribute("data-dragging");
    });
  }
  focus();
};

export const bindTraces = (root) => each(root, "[data-trace]", arm);
