// Keeps what is typed: every three seconds while it changes, when a field is left, and before another page wants to know it.
// The server says when it was kept.
import { each } from "./once.js";

const PAUSE = 3000;
const keepers = new WeakMap();

function keepDraft(form) {
  const said = form.querySelector("[data-saved]");
  let timer = null;
  let kept = "";
  let last = Promise.resolve();
  let sent = new AbortController();
  const body = () => {
    const data = new FormData(form);
    data.delete("password");
    return new URLSearchParams(data);
  };
  kept = body().toString();

  async function send() {
    const typed = body();
    if (sent.signal.aborted || typed.toString() === kept) return;
    try {
      const answer = await fetch(form.dataset.draft, {
        method: "POST",
        body: typed,
        headers: { Accept: "application/json" },
        signal: sent.signal,
      });
      if (!answer.ok) throw new Error(String(answer.status));
      kept = typed.toString();
      const { saved } = await answer.json();
      if (said) said.textContent = `Draft kept at ${saved}`;
    } catch {
      if (said && !sent.signal.aborted) said.textContent = "Not kept yet: the server did not answer. Your text is still here.";
    }
  }

  // One after another: two drafts on their way at once might arrive in the wrong order.
  function save() {
    clearTimeout(timer);
    timer = null;
    last = last.then(send);
    return last;
  }

  keepers.set(form, save);
  form.addEventListener("input", () => {
    timer ??= setTimeout(save, PAUSE);
  });
  form.addEventListener("focusout", save);
  // What is sent needs no draft any more; one on its way would reach a task that is closed.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    if (!event.defaultPrevented) sent.abort();
  });
  // A dialog sends itself without leaving the page; when that fails, what is typed is kept again.
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt === form) sent.abort();
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt === form && !event.detail.successful) sent = new AbortController();
  });
}

export const bindDrafts = (root) => each(root, "form[data-draft]", keepDraft);

export const keepTyped = () => Promise.all([...document.querySelectorAll("form[data-draft]")].map((form) => keepers.get(form)?.()));
