// Asks now and then whether there is news for the open list; rows never jump under the cursor, a strip says so instead.
const PAUSE = 20000;

export function bindNews() {
  const strip = document.querySelector("[data-news]");
  if (!strip) return;
  setInterval(async () => {
    if (document.hidden) return;
    const shown = [...document.querySelectorAll("[data-item]")].map((item) => item.dataset.item);
    try {
      const answer = await fetch(`${strip.dataset.news}&shown=${shown.slice(0, 60).join(",")}`, { headers: { Accept: "application/json" } });
      if (answer.ok) show(strip, await answer.json());
    } catch {
      // Offline: the next round asks again.
    }
  }, PAUSE);
}

function show(strip, { news, stale }) {
  strip.replaceChildren();
  if (news > 0) {
    // The same list anew: what one reads stays open in the address.
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = `${news} new`;
    strip.append(link);
  }
  for (const [id, words] of Object.entries(stale)) {
    const row = document.querySelector(`[data-item="${CSS.escape(id)}"]`);
    if (!row || row.classList.contains("item-stale")) continue;
    row.classList.add("item-stale");
    const line = row.querySelector("[data-line]");
    if (line) line.textContent = words;
    const tick = row.closest("[data-row]")?.querySelector("[data-tick]");
    if (tick?.checked) tick.click();
    if (tick) tick.disabled = true;
  }
}
