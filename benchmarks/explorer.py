"""Time the graph explorer in Chromium with more than two thousand things on the canvas.

    python benchmarks/explorer.py http://127.0.0.1:8000

Asks a running server for two hubs, drags and zooms the canvas, and prints the time from frame to
frame. Needs Chromium and the test requirements.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time

from playwright.sync_api import Page, sync_playwright

HUBS = (("scheme:body-kind/municipality", "dg:bodyKind"), ("id:round/r4-2", "dg:round"))
WATCH = """() => {
  window.times = []; window.watching = true; let last = performance.now();
  const frame = () => {
    const now = performance.now(); window.times.push(now - last); last = now;
    if (window.watching) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def frames(page: Page, what: str) -> None:
    """Drag or zoom for about two seconds and print the times from frame to frame."""
    box = page.locator(".canvas").bounding_box()
    assert box
    x, y = box["x"] + 40, box["y"] + 40
    page.evaluate(WATCH)
    page.mouse.move(x, y)
    if what == "drag":
        page.mouse.down()
    for step in range(60):
        if what == "drag":
            page.mouse.move(x + 5 * step, y + 3 * step)
        else:
            page.mouse.wheel(0, -60 if step < 30 else 60)
        page.wait_for_timeout(16)
    page.mouse.up()
    times: list[float] = sorted(page.evaluate("() => (window.watching = false, window.times)")[2:])
    late = times[int(len(times) * 0.95)]
    middle = statistics.median(times)
    print(f"{what}: {middle:.1f} ms a frame (median), p95 {late:.1f} ms, max {times[-1]:.1f} ms")


def main() -> None:
    """Print how long the view takes, and its frames."""
    root = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    query = "&".join(f"iri={hub}&expand={hub}+in+{relation}" for hub, relation in HUBS)
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        start = time.perf_counter()
        page.goto(f"{root}/explore?{query}")
        page.locator(".canvas[data-things]").wait_for(timeout=120_000)
        took = time.perf_counter() - start
        canvas = page.locator(".canvas")
        things, links = (canvas.get_attribute(f"data-{each}") for each in ("things", "links"))
        print(f"{things} things and {links} links drawn after {took:.1f} s")
        page.wait_for_timeout(1500)
        for what in ("drag", "zoom"):
            frames(page, what)
        browser.close()


if __name__ == "__main__":
    main()
