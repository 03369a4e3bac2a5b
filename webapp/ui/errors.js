// A form that came back: its notice names every field that does not fit and leads to it; the first one has the focus and is in sight.

const WRONG = '[aria-invalid="true"]';

function nameOf(field) {
  const label = field.labels?.[0] ?? field.closest("fieldset")?.querySelector("legend");
  return label ? label.firstChild.textContent.trim() : field.name;
}

function sentenceOf(field) {
  const ids = (field.getAttribute("aria-describedby") ?? "").split(" ");
  const said = ids.map((id) => document.getElementById(id)).find((one) => one?.classList.contains("error"));
  return said ? `${nameOf(field)}: ${said.textContent.trim()}` : nameOf(field);
}

function goTo(field) {
  field.closest("details")?.setAttribute("open", "");
  field.focus({ preventScroll: true });
  field.scrollIntoView({ block: "center" });
}

function lead(field) {
  const link = document.createElement("a");
  link.href = `#${field.id}`;
  link.textContent = sentenceOf(field);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(field);
  });
  const item = document.createElement("li");
  item.append(link);
  return item;
}

export function bindErrors(root) {
  const wrong = [...root.querySelectorAll(WRONG)];
  if (wrong.length === 0) return;
  const notice = root.querySelector(".notice-bad[role=alert] .notice-body");
  if (notice && !notice.querySelector("[data-wrong]")) {
    const list = document.createElement("ul");
    list.dataset.wrong = "";
    list.append(...wrong.map(lead));
    notice.append(list);
  }
  wrong[0].focus();
  // After htmx has scrolled to the top of what it put in.
  requestAnimationFrame(() => goTo(wrong[0]));
}
