// Runs a behaviour once for each element, however often a part of the page is swapped in.
const bound = new WeakMap();

export function each(root, selector, behaviour) {
  const found = [...root.querySelectorAll(selector)];
  if (root.matches?.(selector)) found.unshift(root);
  for (const element of found) {
    const seen = bound.get(element) ?? new Set();
    if (seen.has(behaviour)) continue;
    bound.set(element, seen.add(behaviour));
    behaviour(element);
  }
}
