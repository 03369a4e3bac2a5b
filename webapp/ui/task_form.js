// Fields of a task form that depend on others: the server, which knows the conditions, renders them again.
import { each } from "./once.js";

const PAUSE = 250;

function arm(fields) {
  const form = fields.closest("form");
  let timer = null;
  let asked = 0;

  async function refresh(extra) {
    const round = (asked += 1);
    const body = new URLSearchParams(new FormData(form));
    if (extra) body.set(extra.name, extra.value);
    const answer = await fetch(fields.dataset.fields, { method: "POST", body });
    if (!answer.ok || round !== asked) return;
    const focused = document.activeElement?.name;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fields]");
    fields.replaceChildren(...fresh.childNodes);
    if (focused) form.elements[focused]?.focus?.();
  }

  fields.addEventListener("change", (event) => {
    if (!event.target.matches("select, input[type=radio], input[type=checkbox]")) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE);
  });
  fields.addEventListener("click", (event) => {
    const button = event.target.closest("[data-refreshes]");
    if (!button) return;
    event.preventDefault();
    refresh(button);
  });
}

export const bindTaskForms = (root) => each(root, "[data-fields]", arm);
