"""Time every saved question in process, and a few of them against rdflib on the same graph.

    .venv/bin/python benchmarks/questions.py

Each question runs five times with its default parameters; the best run counts. Take the ratios,
not the milliseconds: machines differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from pyoxigraph import Store

from digiden_kg.build import check
from digiden_kg.questions import load_questions
from digiden_kg.settings import load_settings
from digiden_kg.validate import default_graph

RUNS = 5
PEERS = 5
"""Questions that rdflib answers too: the slowest ones that ask the default graph alone."""


def best(run: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest of several runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def main() -> None:
    """Print a line per question, slowest first, then the ratios."""
    settings = load_settings()
    store: Store = check(settings)[0]
    questions = load_questions(settings.queries_dir / "questions")
    texts = {question.slug: question.bind({}) for question in questions}
    timed = {slug: best(lambda text=text: list(store.query(text))) for slug, text in texts.items()}
    slowest_first = sorted(timed, key=lambda slug: -timed[slug])
    for slug in slowest_first:
        print(f"{timed[slug]:8.2f} ms  {slug}")
    middle, slowest = median(timed.values()), max(timed.values())
    print(f"{len(timed)} questions: median {middle:.2f} ms, slowest {slowest:.2f} ms")
    graph = default_graph(store)
    peers = [slug for slug in slowest_first if "GRAPH" not in texts[slug]][:PEERS]
    for slug in peers:
        start = time.perf_counter()
        list(graph.query(texts[slug]))
        peer = (time.perf_counter() - start) * 1000
        print(f"{peer / timed[slug]:8.0f} times slower in rdflib ({peer:.0f} ms): {slug}")


if __name__ == "__main__":
    main()
