/** Runs on every page: what pages gain where scripts run. */
import { suggest } from "./lib/combobox";
import { framed, offerParts } from "./lib/framed";
import { closeByEscape } from "./lib/notes";

closeByEscape(document);
document.querySelectorAll<HTMLInputElement>("input[data-suggest]").forEach(suggest);

// On a phone the results come first; the filters open at a touch.
if (window.matchMedia("(max-width: 40rem)").matches)
  document.querySelectorAll<HTMLDetailsElement>(".facets > details").forEach((box) => (box.open = false));

if (document.body.classList.contains("embedded")) framed(document.body);
document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (menu instanceof HTMLDetailsElement && menu.open && menu.matches(".data-menu")) offerParts(menu);
  },
  true,
);
