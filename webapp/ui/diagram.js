// Shows a diagram with its tokens. Loaded only where one is shown; the pinned bundle's BPMN comes from the server.
import NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import "bpmn-js/dist/assets/diagram-js.css";
import "bpmn-js/dist/assets/bpmn-js.css";

function paint(viewer, state) {
  const canvas = viewer.get("canvas");
  const overlays = viewer.get("overlays");
  const registry = viewer.get("elementRegistry");
  for (const id of state.done) if (registry.get(id)) canvas.addMarker(id, "done");
  for (const token of state.tokens) {
    if (!registry.get(token.element)) continue;
    canvas.addMarker(token.element, token.incident ? "incident" : "waiting");
    const mark = document.createElement("span");
    mark.className = token.incident ? "token token-incident" : "token";
    mark.textContent = token.words;
    mark.title = token.title;
    overlays.add(token.element, { position: { top: -12, left: -8 }, html: mark });
  }
}

async function show(figure) {
  const canvas = figure.querySelector("[data-canvas]");
  const [xml, state] = await Promise.all([
    fetch(figure.dataset.bpmn).then((answer) => answer.text()),
    fetch(figure.dataset.state).then((answer) => answer.json()),
  ]);
  const viewer = new NavigatedViewer({ container: canvas });
  await viewer.importXML(xml);
  paint(viewer, state);
  const fit = () => viewer.get("canvas").zoom("fit-viewport", "auto");
  fit();
  const first = state.tokens.find((token) => viewer.get("elementRegistry").get(token.element));
  if (first && figure.dataset.follow !== undefined) {
    viewer.get("canvas").zoom(0.85);
    viewer.get("canvas").scrollToElement(first.element, { top: 120, bottom: 120, left: 160, right: 160 });
  }
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "fit") fit();
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
