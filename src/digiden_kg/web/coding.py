"""Content codings: what a client accepts, and compression of an answer while it is streamed."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import AsyncGenerator, Callable

import zstandard

_CODINGS = ("zstd", "gzip")
"""What we write, the best first."""
_ELEMENT = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")
_GZIP = 16 + zlib.MAX_WBITS


@functools.lru_cache(maxsize=64)
def choose(accept: str | None) -> str | None:
    """Return the coding that an ``Accept-Encoding`` header prefers, None for none."""
    qualities: dict[str, float] = {}
    for element in (accept or "").lower().split(","):
        if match := _ELEMENT.fullmatch(element):
            qualities[match[1].removeprefix("x-")] = float(match[2] or 1)
    best = max(_CODINGS, key=lambda each: qualities.get(each, qualities.get("*", 0)))
    quality = qualities.get(best, qualities.get("*", 0))
    # A client that names "identity" with a higher quality wants the plain bytes.
    return best if quality > 0 and quality >= qualities.get("identity", 0) else None


async def encode(
    chunks: AsyncGenerator[bytes, None], coding: str | None
) -> AsyncGenerator[bytes, None]:
    """Yield chunks in a coding; each is passed on at once, so that a slow answer still flows."""
    try:
        if coding is None:
            async for chunk in chunks:
                yield chunk
            return
        add, finish = _compressor(coding)
        async for chunk in chunks:
            yield add(chunk)
        yield finish()
    finally:
        await chunks.aclose()


def encode_whole(content: bytes, coding: str | None) -> bytes:
    """Return the whole of an answer in a coding."""
    if coding is None:
        return content
    add, finish = _compressor(coding)
    return add(content) + finish()


def _compressor(coding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if coding == "zstd":
        zstd = zstandard.ZstdCompressor(level=3).compressobj()
        block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return lambda chunk: zstd.compress(chunk) + zstd.flush(block), zstd.flush
    gzip = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return lambda chunk: gzip.compress(chunk) + gzip.flush(zlib.Z_SYNC_FLUSH), gzip.flush
