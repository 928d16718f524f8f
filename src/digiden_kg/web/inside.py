"""Asks an application of this very process, without a server in between."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


async def ask(
    app: ASGIApp, address: str, root: str, /, **more: Any
) -> tuple[int, dict[str, str], bytes]:
    """Return what an application answers to GET: status, headers, body.

    Args:
        app: The application, or a part of it.
        address: Path and query.
        root: Public address of the application, without a slash at the end.
        **more: What else belongs to the request (ASGI's scope).
    """
    path, _, query = address.partition("?")
    scheme, _, host = root.partition("://")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", host.partition("/")[0].encode())],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
        **more,
    }
    status, headers, chunks = 0, {}, []
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # the client stays until it is answered
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, headers, b"".join(chunks)
