// Every page: in-place updates by htmx, and small behaviours bound to data- attributes. Without this file pages still read and decide.
import htmx from "htmx.org";

import { bindBulk } from "./bulk.js";
import { bindCopy } from "./copy.js";
import { bindDialogs } from "./dialogs.js";
import { bindDrafts } from "./drafts.js";
import { bindErrors } from "./errors.js";
import { bindKeys } from "./keys.js";
import { bindLines } from "./lines.js";
import { bindMentions } from "./mentions.js";
import { bindMenus } from "./menus.js";
import { bindNews } from "./news.js";
import { bindPane, bindSeen } from "./pane.js";
import { bindPrint } from "./print.js";
import { bindRedline } from "./redline.js";
import { bindSubmits } from "./submits.js";
import { bindSuggestions } from "./suggestions.js";
import { bindTabs } from "./tabs.js";
import { bindTaskForms } from "./task_form.js";
import { bindToasts } from "./toasts.js";
import { bindTraces } from "./trace.js";

const bind = (root) => {
  for (const behaviour of [bindBulk, bindCopy, bindDrafts, bindLines, bindMentions, bindPrint, bindSeen, bindSubmits, bindSuggestions, bindTabs, bindTaskForms, bindToasts, bindTraces]) behaviour(root);
  bindErrors(root);
};

bindDialogs();
bindKeys();
bindMenus();
bindNews();
bindPane();
bindRedline();
bind(document);
htmx.onLoad(bind);
