/** Files that a page makes itself, of what it shows, where no server makes them. */
import { element, language, say } from "./page";

/** Let the reader save a file. */
export function save(name: string, content: Blob): void {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Return a button that saves what is made when it is wanted. */
export function file(name: string, words: string, type: string, make: () => string): HTMLElement {
  const made = element("button", { type: "button" }, words);
  made.addEventListener("click", () => save(name, new Blob([make()], { type })));
  return made;
}

/** Return a table as CSV, as Python writes it. */
export function csv(rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Return the menu with the files of what is shown. */
export function dataMenu(root: string, words: string, ...files: Node[]): HTMLElement {
  const all = element("a", { href: `${root}downloads${language() === "en" ? ".en" : ""}.html` }, say("全データと引用のしかた", "All data, and how to cite"));
  return element("details", { class: "data-menu" },
    element("summary", {}, say("データ", "Data")),
    element("p", {}, words),
    element("p", { id: "files" }, ...files),
    element("p", {}, all),
  );
}
