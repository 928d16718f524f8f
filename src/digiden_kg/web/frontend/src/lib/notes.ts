/** The notes that say who says so: Escape closes an open one until the next is reached. */
export function closeByEscape(page: Document): void {
  const off = "tips-off";
  const root = page.documentElement;
  page.addEventListener("keydown", (event) => {
    if (event.key === "Escape") root.classList.add(off);
  });
  for (const name of ["focusin", "pointerover"]) {
    page.addEventListener(name, (event) => {
      const target = event.target as Element;
      if (target.closest?.(".who")) root.classList.remove(off);
    });
  }
}
