"""Says what is said under /openrosa as OpenRosa says it: its headers, and every error as its XML."""

import json
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.audits import openrosa
from app.wire.problems import MEDIA_TYPE as PROBLEM
from app.wire.problems import fault

XML: dict[str, Any] = {openrosa.MEDIA_TYPE: {"schema": {"type": "string"}}}


class OpenRosa:
    """ASGI layer around the application; it stands outside of all that may refuse a phone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not for phones as it is."""
        if scope["type"] == "http" and scope["path"].startswith(f"{openrosa.PREFIX}/"):
            await self._answer(scope, receive, _Answer(send))
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Answer also what nobody foresaw; elsewhere that is done outside of every layer."""
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:
            if answer.begun:
                raise
            await fault(Request(scope), error)(scope, receive, answer.send)


class _Answer:
    """An answer on its way out; a problem is held back until it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self._problem: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Send a part of the answer on."""
        if message["type"] == "http.response.start":
            self.begun = True
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
        body = openrosa.response(_sentence(json.loads(self._body)), openrosa.ERROR)
        headers = MutableHeaders(scope=start)
        headers["content-type"] = f"{openrosa.MEDIA_TYPE}; charset=utf-8"
        headers["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _sentence(problem: dict[str, Any]) -> str:
    """Say on a phone what a problem says, with the place in the form."""
    where = f" ({problem['pointer']})" if problem.get("pointer") else ""
    detail = f" {problem['detail']}" if problem.get("detail") else ""
    return f"{problem['title'].rstrip('.')}.{detail}{where}"
