/** The query builder, live. */
import { live } from "./lib/live";
import { addViews } from "./lib/views";

live("#builder", () => {
  const answer = document.querySelector<HTMLElement>("#answer");
  if (answer) addViews(answer, answer.querySelector("pre code")?.textContent ?? "");
});
