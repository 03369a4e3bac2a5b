// Elements with data-print ask the browser to print the page; without scripts the browser's own menu does.
export function bindPrint(root) {
  for (const button of root.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}
