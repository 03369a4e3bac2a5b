// A type-ahead after the ARIA combobox pattern: the server answers options, the field keeps plain text and works without script.
import { each } from "./once.js";

const KEYS = ["ArrowDown", "ArrowUp", "Enter"];

let counter = 0;

function arm(input) {
  const box = input.closest(".suggest") ?? input.parentElement;
  const list = document.createElement("div");
  list.className = "suggest-list";
  list.role = "listbox";
  list.id = `suggestions-${(counter += 1)}`;
  list.hidden = true;
  box.append(list);
  const chosen = document.createElement("p");
  chosen.className = "hint";
  chosen.hidden = true;
  input.after(chosen);
  input.role = "combobox";
  input.autocomplete = "off";
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
  let timer = null;
  let asked = 0;
  // While the list is still that of what was typed before, keys wait: they would take something that nobody asked for.
  let isBehind = false;
  const early = [];

  const close = () => {
    clearTimeout(timer);
    isBehind = false;
    early.length = 0;
    asked += 1; // An answer that is still under way opens nothing any more.
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const options = () => [...list.querySelectorAll("[role=option]")];
  const select = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const take = (option) => {
    input.value = option.dataset.value;
    chosen.textContent = option.lastChild.textContent;
    chosen.hidden = false;
    for (const [name, value] of Object.entries(JSON.parse(option.dataset.fills))) {
      const field = input.form.elements[input.dataset.prefix + name];
      if (field && (name === "revision" || field.value === "")) field.value = value;
    }
    close();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const press = (key) => {
    const all = options();
    const current = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (key === "ArrowDown") select(all[(current + 1) % all.length]);
    else if (key === "ArrowUp") select(all[(current - 1 + all.length) % all.length]);
    else if (key === "Enter" && current >= 0) take(all[current]);
    else if (key === "Escape") close();
    else return false;
    return true;
  };
  const paint = (found) => {
    list.replaceChildren(
      ...found.map((item, index) => {
        const option = document.createElement("div");
        option.className = "suggest-option";
        option.role = "option";
        option.id = `${list.id}-${index}`;
        option.dataset.value = item.value;
        option.dataset.fills = JSON.stringify(item.fills ?? {});
        const name = document.createElement("span");
        name.className = "strong";
        name.textContent = item.value;
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
    isBehind = false;
    list.hidden = found.length === 0;
    list.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-expanded", String(found.length > 0));
    for (const key of early.splice(0)) if (!list.hidden) press(key);
  };
  const ask = async () => {
    const round = (asked += 1);
    const url = new URL(input.dataset.suggest, location.href);
    url.searchParams.set("q", input.value);
    for (const name of (input.dataset.with ?? "").split(" ").filter(Boolean)) {
      url.searchParams.set(name, (input.form.elements[input.dataset.prefix + name] ?? input.form.elements[name])?.value ?? "");
    }
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (answer.ok && round === asked && document.activeElement === input) paint((await answer.json()).items);
  };

  input.addEventListener("input", () => {
    chosen.hidden = true;
    isBehind = true;
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  input.addEventListener("focus", () => {
    if (input.dataset.eager !== undefined) ask();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (isBehind && KEYS.includes(event.key)) {
      early.push(event.key);
      event.preventDefault();
    } else if (press(event.key)) event.preventDefault();
  });
}

export const bindSuggestions = (root) => each(root, "input[data-suggest]", arm);
