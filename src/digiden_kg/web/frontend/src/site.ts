/** Runs on every page: what pages gain where scripts run. */
import { suggest } from "./lib/combobox";
import { closeByEscape } from "./lib/notes";

closeByEscape(document);
document.querySelectorAll<HTMLInputElement>("input[data-suggest]").forEach(suggest);

// On a phone the results come first; the filters open at a touch.
if (window.matchMedia("(max-width: 40rem)").matches)
  document.querySelectorAll<HTMLDetailsElement>(".facets > details").forEach((box) => (box.open = false));
