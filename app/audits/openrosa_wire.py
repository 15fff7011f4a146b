"""Says what is said under /openrosa as OpenRosa says it: its headers, and errors as its XML."""

import json
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.audits import openrosa
from app.wire.problems import MEDIA_TYPE as PROBLEM


class OpenRosa:
    """ASGI layer around the application; it must see every refusal, so it stands outside of them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not for phones as it is."""
        if scope["type"] == "http" and scope["path"].startswith(f"{openrosa.PREFIX}/"):
            await self.app(scope, receive, _Answer(send).send)
        else:
            await self.app(scope, receive, send)


class _Answer:
    """An answer on its way out; a problem is held back until it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._problem: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Send a part of the answer on."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(openrosa.HEADERS)
            if headers.get("content-type") == PROBLEM:
                self._problem = message
                return
        elif self._problem is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._refuse(self._problem)
            return
        await self._send(message)

    async def _refuse(self, start: Message) -> None:
        body = openrosa.response(_sentence(json.loads(self._body)))
        headers = MutableHeaders(scope=start)
        headers["content-type"], headers["content-length"] = openrosa.MEDIA_TYPE, str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _sentence(problem: dict[str, Any]) -> str:
    """Say on a phone what a problem says, with the place in the form."""
    where = f" ({problem['pointer']})" if problem.get("pointer") else ""
    return f"{problem['title']}. {problem.get('detail', '')}{where}".strip()
