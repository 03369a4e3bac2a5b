// Keeps what is typed: every three seconds while it changes, and when a field is left. The server says when it was kept.
import { each } from "./once.js";

const PAUSE = 3000;

function keepDraft(form) {
  const said = form.querySelector("[data-saved]");
  let timer = null;
  let kept = "";
  const body = () => {
    const data = new FormData(form);
    data.delete("password");
    return new URLSearchParams(data);
  };
  kept = body().toString();

  async function save() {
    clearTimeout(timer);
    timer = null;
    const typed = body();
    if (typed.toString() === kept) return;
    try {
      const answer = await fetch(form.dataset.draft, { method: "POST", body: typed, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      kept = typed.toString();
      const { saved } = await answer.json();
      if (said) said.textContent = `Draft kept at ${saved}`;
    } catch {
      if (said) said.textContent = "Not kept yet: the server did not answer. Your text is still here.";
    }
  }

  form.addEventListener("input", () => {
    timer ??= setTimeout(save, PAUSE);
  });
  form.addEventListener("focusout", save);
  form.addEventListener("submit", () => clearTimeout(timer));
}

export const bindDrafts = (root) => each(root, "form[data-draft]", keepDraft);
