// Names after "@" in a text area: the server suggests people, the text stays plain and works without script.
import { each } from "./once.js";

const NAME = /(?:^|[^\w@.-])@([\w.-]*)$/;
let counter = 0;

function arm(area) {
  const list = document.createElement("div");
  list.className = "suggest-list";
  list.role = "listbox";
  list.id = `mentions-${(counter += 1)}`;
  list.setAttribute("aria-label", "People");
  list.hidden = true;
  const box = document.createElement("div");
  box.className = "suggest";
  // Being moved takes the focus from it.
  const isHere = document.activeElement === area;
  area.before(box);
  box.append(area, list);
  if (isHere) area.focus();
  area.setAttribute("aria-controls", list.id);
  let timer = null;
  let asked = 0;

  const close = () => {
    list.hidden = true;
    area.removeAttribute("aria-activedescendant");
  };
  const typed = () => area.value.slice(0, area.selectionStart).match(NAME)?.[1];
  const options = () => [...list.querySelectorAll("[role=option]")];
  const select = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    area.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const take = (option) => {
    const end = area.selectionStart;
    area.setRangeText(`${option.dataset.value} `, end - (typed() ?? "").length, end, "end");
    close();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const paint = (found) => {
    list.replaceChildren(
      ...found.map((item, index) => {
        const option = document.createElement("div");
        option.className = "suggest-option";
        option.role = "option";
        option.id = `${list.id}-${index}`;
        option.dataset.value = item.value;
        option.setAttribute("aria-selected", "false");
        const name = document.createElement("span");
        name.className = "strong";
        name.textContent = `@${item.value}`;
        const hint = document.createElement("span");
        hint.className = "tiny soft";
        hint.textContent = item.label;
        option.append(name, hint);
        option.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(option);
        });
        return option;
      }),
    );
    list.hidden = found.length === 0;
    if (found.length > 0) select(options()[0]);
  };
  const ask = async () => {
    const name = typed();
    if (name === undefined) return close();
    const round = (asked += 1);
    const url = new URL(area.dataset.mentions, location.href);
    url.searchParams.set("q", name);
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (answer.ok && round === asked && document.activeElement === area) paint((await answer.json()).items);
  };

  area.addEventListener("input", () => {
    clearTimeout(timer);
    if (typed() === undefined) close();
    else timer = setTimeout(ask, 120);
  });
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    if (list.hidden || event.ctrlKey || event.metaKey) return;
    const all = options();
    const current = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") select(all[(current + 1) % all.length]);
    else if (event.key === "ArrowUp") select(all[(current - 1 + all.length) % all.length]);
    else if ((event.key === "Enter" || event.key === "Tab") && current >= 0) take(all[current]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

export const bindMentions = (root) => each(root, "textarea[data-mentions]", arm);
