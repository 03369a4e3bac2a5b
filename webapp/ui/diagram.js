// Shows a diagram with its tokens. Loaded only where one is shown; the pinned bundle's BPMN comes from the server.
import NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import "bpmn-js/dist/assets/diagram-js.css";
import "bpmn-js/dist/assets/bpmn-js.css";

// The canvas is light in both themes; bpmn-js styles each shape itself, so the paint goes onto the shape.
const PAINTS = {
  done: { stroke: "#17663a" },
  waiting: { stroke: "#2a47c9", strokeWidth: "3px", fill: "#eef1fd" },
  incident: { stroke: "#b0241b", strokeWidth: "3px", fill: "#fdeeec" },
};

function tint(registry, id, paints) {
  const shape = registry.getGraphics(id)?.querySelector(".djs-visual > :first-child");
  if (shape) Object.assign(shape.style, PAINTS[paints]);
}

function paint(viewer, state, view, choose) {
  const overlays = viewer.get("overlays");
  const registry = viewer.get("elementRegistry");
  const marks = new Map();
  for (const step of state.done) if (step.view === view) tint(registry, step.element, "done");
  for (const token of state.tokens) {
    if (token.view !== view || !registry.get(token.element)) continue;
    tint(registry, token.element, token.incident ? "incident" : "waiting");
    const mark = document.createElement(token.inside ? "button" : "span");
    mark.className = token.incident ? "token token-incident" : "token";
    mark.textContent = token.words;
    mark.title = token.title;
    if (token.inside) mark.addEventListener("click", () => choose(token.inside));
    // Several on one element, such as two awards at one step, stand one above the other.
    const before = marks.get(token.element) ?? 0;
    marks.set(token.element, before + 1);
    overlays.add(token.element, { position: { top: -12 - 20 * before, left: -8 }, html: mark });
  }
}

function lookAt(viewer, state, view) {
  const canvas = viewer.get("canvas");
  const registry = viewer.get("elementRegistry");
  canvas.zoom("fit-viewport", "auto");
  const waits = state.tokens.find((token) => token.view === view && registry.get(token.element));
  const ended = (step) => step.view === view && registry.get(step.element)?.type === "bpmn:EndEvent";
  const first = waits ?? state.done.findLast(ended);
  if (!first || canvas.zoom() > 0.7) return;
  const { x, y, width, height } = registry.get(first.element);
  const box = canvas.viewbox();
  const scale = 0.8;
  const outer = { width: box.outer.width / scale, height: box.outer.height / scale };
  canvas.viewbox({ x: x + width / 2 - outer.width / 2, y: y + height / 2 - outer.height / 2, ...outer });
}

function button(view, words, choose) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.view = view;
  made.className = "button button-small";
  made.textContent = words;
  made.addEventListener("click", () => choose(view));
  return made;
}

// In the main process: a button for each call that tokens are in. In a call: the way back, and where one is.
function offerViews(figure, state, view, choose) {
  const place = figure.querySelector("[data-processes]");
  const here = state.views.find((one) => one.key === view);
  const crumbs = here.crumbs.flatMap((crumb) => {
    const part = crumb.view === null ? document.createElement("span") : button(crumb.view, crumb.words, choose);
    if (crumb.view === null) part.textContent = crumb.words;
    return [part, "/"];
  });
  const now = document.createElement("b");
  now.className = "strong";
  now.textContent = here.name;
  const calls = state.views.filter((one) => one.crumbs.findLast((crumb) => crumb.view !== null)?.view === view);
  const inside = calls.map((one) => {
    const named = one.crumbs.slice(here.crumbs.length + 1).map((crumb) => crumb.words);
    return button(one.key, [...named, one.name].join(", ") + ` (${one.tokens})`, choose);
  });
  place.replaceChildren(...crumbs, now, ...inside);
}

async function show(figure) {
  const state = await fetch(figure.dataset.state).then((answer) => answer.json());
  const viewer = new NavigatedViewer({ container: figure.querySelector("[data-canvas]") });
  const choose = async (key) => {
    const { process } = state.views.find((one) => one.key === key);
    const url = new URL(figure.dataset.bpmn, location.href);
    if (key !== "") url.searchParams.set("process", process);
    await viewer.importXML(await fetch(url).then((answer) => answer.text()));
    paint(viewer, state, key, choose);
    lookAt(viewer, state, key);
    offerViews(figure, state, key, choose);
  };
  await choose("");
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "fit") viewer.get("canvas").zoom("fit-viewport", "auto");
      else viewer.get("zoomScroll").stepZoom(button.dataset.zoom === "in" ? 1 : -1);
    });
  }
  figure.querySelector("[data-fallback]")?.remove();
}

const armed = new WeakSet();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || armed.has(entry.target)) continue;
    armed.add(entry.target);
    seen.unobserve(entry.target);
    show(entry.target).catch(() => {
      const words = entry.target.querySelector("[data-fallback]");
      if (words) words.textContent = "The diagram could not be drawn. The list of steps says the same.";
    });
  }
});

const watch = (root) => {
  for (const figure of root.querySelectorAll("[data-diagram]")) seen.observe(figure);
};
watch(document);
document.addEventListener("htmx:load", (event) => watch(event.target));
