/** Runs on pages of others: gives each frame of ours the height that its content needs. */
import { heightOf, type Message } from "./lib/embedding";

const home = new URL(import.meta.url).origin;

addEventListener("message", (event) => {
  const height = heightOf(event.data);
  if (height === undefined || event.origin !== home) return;
  for (const frame of document.querySelectorAll("iframe"))
    if (frame.contentWindow === event.source) frame.style.height = `${height}px`;
});

// Frames that were there first have said their height already.
for (const frame of document.querySelectorAll("iframe"))
  if (frame.src.startsWith(`${home}/`)) {
    const ask: Message = { digiden: "measure" };
    frame.contentWindow?.postMessage(ask, home);
  }
