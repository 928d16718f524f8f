"""Time a build of the real data, stage by stage, and its peak memory.

.venv/bin/python benchmarks/build.py
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from digiden_kg.build import build
from digiden_kg.settings import load_settings


def main() -> None:
    """Print seconds per stage, in all, and MiB."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(load_settings(), out_dir=Path(folder))
        stages: list[tuple[str, float]] = []
        release, _ = build(
            settings, progress=lambda name: stages.append((name, time.perf_counter()))
        )
        end = time.perf_counter()
    starts = [start for _, start in stages]
    for (name, start), stop in zip(stages, [*starts[1:], end], strict=True):
        print(f"{stop - start:6.2f} s  {name}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{end - starts[0]:6.2f} s  in all, {release.counts['quads']:,} quads, peak {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
