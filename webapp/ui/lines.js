// A form with lines: changes ask the server for the totals and the preview of who approves; the server alone computes.
import { each } from "./once.js";

const PAUSE = 350;

function arm(form) {
  const target = document.querySelector(form.dataset.preview);
  let timer = null;
  let asked = 0;

  async function ask() {
    const round = (asked += 1);
    const answer = await fetch(form.dataset.previewUrl, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Part": "preview" } });
    if (!answer.ok || round !== asked) return;
    target.innerHTML = await answer.text();
    for (const sum of target.querySelectorAll("[data-sum-of]")) {
      const place = form.querySelector(`[data-line-sum="${CSS.escape(sum.dataset.sumOf)}"]`);
      if (place) place.textContent = sum.textContent;
    }
  }

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  };
  form.addEventListener("input", later);
  form.addEventListener("change", later);
}

export const bindLines = (root) => each(root, "form[data-preview]", arm);
