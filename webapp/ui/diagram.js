// Shows a diagram with its tokens. Loaded only where one is shown; the pinned bundle's BPMN comes from the server.
import NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import "bpmn-js/dist/assets/diagram-js.css";
import "bpmn-js/dist/assets/bpmn-js.css";

// The canvas is light in both themes; bpmn-js styles each shape itself, so the paint goes onto the shape.
const MOST_BUTTONS = 8;

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

// Many calls are a list to pick from: a thousand buttons would push the diagram off the page.
function picker(inside, choose) {
  const made = document.createElement("select");
  made.className = "select";
  made.setAttribute("aria-label", "Look into a called process");
  made.append(new Option(`Look into one of ${inside.length.toLocaleString(document.documentElement.lang)} called processes`, ""));
  for (const [key, words] of inside) made.append(new Option(words, key));
  made.addEventListener("change", () => made.value && choose(made.value));
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
    return [one.key, [...named, one.name].join(", ") + ` (${one.tokens})`];
  });
  if (inside.length > MOST_BUTTONS) place.replaceChildren(...crumbs, now, picker(inside, choose));
  else place.replaceChildren(...crumbs, now, ...inside.map(([key, words]) => button(key, words, choose)));
}

// A diagram that would freeze the page is drawn only when somebody asks for it; until then its size is said.
function offerToDraw(figure, size, draw) {
  const offer = figure.querySelector("[data-offer]");
  const button = offer.querySelector("[data-draw]");
  const words = offer.querySelector("[data-offer-words]");
  words.textContent = `This diagram has ${size.toLocaleString(document.documentElement.lang)} shapes and lines.`;
  show(figure, false);
  button.disabled = false;
  button.onclick = () => {
    button.disabled = true;
    words.textContent = "Drawing …";
    // After the next frame, so that the words are seen before the page is busy.
    requestAnimationFrame(() => setTimeout(draw));
  };
}

function show(figure, isDrawn) {
  figure.querySelector("[data-offer]").hidden = isDrawn;
  for (const part of figure.querySelectorAll("[data-canvas], [data-zoom]")) part.hidden = !isDrawn;
}

async function begin(figure) {
  const state = await fetch(figure.dataset.state).then((answer) => answer.json());
  let viewer = null;
  const wanted = new Set();
  const draw = async (key, process) => {
    viewer ??= new NavigatedViewer({ container: figure.querySelector("[data-canvas]") });
    const url = new URL(figure.dataset.bpmn, location.href);
    if (key !== "") url.searchParams.set("process", process);
    const drawing = await fetch(url).then((answer) => answer.text());
    show(figure, true);
    await viewer.importXML(drawing);
    paint(viewer, state, key, go);
    lookAt(viewer, state, key);
  };
  const choose = async (key) => {
    const { process } = state.views.find((one) => one.key === key);
    offerViews(figure, state, key, go);
    const size = state.sizes[process] ?? 0;
    if (size <= state.most || wanted.has(process)) return draw(key, process);
    return offerToDraw(figure, size, () => {
      wanted.add(process);
      draw(key, process).catch(() => giveUp(figure));
    });
  };
  const go = (key) => choose(key).catch(() => giveUp(figure));
  await choose("");
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "fit") viewer.get("canvas").zoom("fit-viewport", "auto");
      else viewer.get("zoomScroll").stepZoom(button.dataset.zoom === "in" ? 1 : -1);
    });
  }
  const words = figure.querySelector("[data-fallback]");
  if (words) words.hidden = true;
}

function giveUp(figure) {
  figure.querySelector("[data-offer]").hidden = true;
  const words = figure.querySelector("[data-fallback]");
  if (!words) return;
  words.hidden = false;
  words.textContent = "The diagram could not be drawn. The list of steps says the same.";
}

const armed = new WeakSet();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || armed.has(entry.target)) continue;
    armed.add(entry.target);
    seen.unobserve(entry.target);
    begin(entry.target).catch(() => giveUp(entry.target));
  }
});

const watch = (root) => {
  for (const figure of root.querySelectorAll("[data-diagram]")) seen.observe(figure);
};
watch(document);
document.addEventListener("htmx:load", (event) => watch(event.target));
