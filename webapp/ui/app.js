// Every page: in-place updates by htmx, and small behaviours bound to data- attributes. Without this file pages still read and decide.
import htmx from "htmx.org";

import { bindCopy } from "./copy.js";
import { bindDialogs } from "./dialogs.js";
import { bindDrafts } from "./drafts.js";
import { bindKeys } from "./keys.js";
import { bindLines } from "./lines.js";
import { bindMenus } from "./menus.js";
import { bindNews } from "./news.js";
import { bindSuggestions } from "./suggestions.js";
import { bindToasts } from "./toasts.js";

const bind = (root) => {
  for (const behaviour of [bindCopy, bindDrafts, bindLines, bindSuggestions, bindToasts]) behaviour(root);
};

bindDialogs();
bindKeys();
bindMenus();
bindNews();
bind(document);
htmx.onLoad(bind);
