// A row of tabs that is wider than the screen shows the one that is open.
import { each } from "./once.js";

const show = (tab) => {
  const row = tab.closest(".tabs");
  const [mine, seen] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
  if (mine.left < seen.left || mine.right > seen.right) row.scrollLeft += mine.left - seen.left - (seen.width - mine.width) / 2;
};

export const bindTabs = (root) => each(root, ".tabs [aria-current]", show);
