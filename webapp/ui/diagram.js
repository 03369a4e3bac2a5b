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

function paint(viewer, state, process, choose) {
  const overlays = viewer.get("overlays");
  const registry = viewer.get("elementRegistry");
  for (const step of state.done) if (step.process === process) tint(registry, step.element, "done");
  for (const token of state.tokens) {
    if (token.process !== process || !registry.get(token.element)) continue;
    tint(registry, token.element, token.incident ? "incident" : "waiting");
    const mark = document.createElement(token.inside ? "button" : "span");
    mark.className = token.incident ? "token token-incident" : "token";
    mark.textContent = token.words;
    mark.title = token.title;
    if (token.inside) mark.addEventListener("click", () => choose(token.inside));
    overlays.add(token.element, { position: { top: -12, left: -8 }, html: mark });
  }
}

function lookAt(viewer, state, process) {
  const canvas = viewer.get("canvas");
  const registry = viewer.get("elementRegistry");
  canvas.zoom("fit-viewport", "auto");
  const waits = state.tokens.find((token) => token.process === process && registry.get(token.element));
  const ended = (step) => step.process === process && registry.get(step.element)?.type === "bpmn:EndEvent";
  const first = waits ?? state.done.findLast(ended);
  if (!first || canvas.zoom() > 0.7) return;
  const { x, y, width, height } = registry.get(first.element);
  const box = canvas.viewbox();
  const scale = 0.8;
  const outer = { width: box.outer.width / scale, height: box.outer.height / scale };
  canvas.viewbox({ x: x + width / 2 - outer.width / 2, y: y + height / 2 - outer.height / 2, ...outer });
}

function offerProcesses(figure, state, choose) {
  if (state.processes.length < 2) return;
  const place = figure.querySelector("[data-processes]");
  place.replaceChildren(
    ...state.processes.map((process) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.process = process.id;
      button.className = "button button-small";
      button.textContent = process.tokens ? `${process.name} (${process.tokens})` : process.name;
      button.setAttribute("aria-pressed", String(process.id === state.main));
      button.addEventListener("click", () => {
        for (const other of place.children) other.setAttribute("aria-pressed", String(other === button));
        choose(process.id);
      });
      return button;
    }),
  );
}

async function show(figure) {
  const state = await fetch(figure.dataset.state).then((answer) => answer.json());
  const viewer = new NavigatedViewer({ container: figure.querySelector("[data-canvas]") });
  // A mark on a call leads into what it called, as the button of that process above the diagram does.
  const follow = (process) => figure.querySelector(`[data-process="${CSS.escape(process)}"]`)?.click();
  const choose = async (process) => {
    const url = new URL(figure.dataset.bpmn, location.href);
    if (process !== state.main) url.searchParams.set("process", process);
    await viewer.importXML(await fetch(url).then((answer) => answer.text()));
    paint(viewer, state, process, follow);
    lookAt(viewer, state, process);
  };
  await choose(state.main);
  offerProcesses(figure, state, choose);
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
