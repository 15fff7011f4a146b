"""The interactive reference at `/docs`, from this machine alone: a browser asks nobody else for it.

FastAPI's own page fetches its scripts from a content delivery network and runs one inside the page.
The files here are those of Swagger UI, as the package `fastapi-offline` brings them.
"""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.requests import Request
from starlette.routing import Route

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Endwatch</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/begin.js"></script>
</body>
</html>
"""
BEGIN = """window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; object-src 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes styles into its elements; scripts are none but the two of the page."""
KEPT = {"Cache-Control": "public, max-age=3600"}
SCRIPT = "text/javascript; charset=utf-8"


def install(app: FastAPI) -> None:
    """Serve the reference. It is for anybody, as the condition types are; it holds no data."""
    found = Path(fastapi_offline.__file__).parent / "static"

    async def page(_: Request) -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    async def begin(_: Request) -> Response:
        return Response(BEGIN, headers=KEPT, media_type=SCRIPT)

    app.router.routes += [
        Route("/docs", page, include_in_schema=False),
        Route("/docs/begin.js", begin, include_in_schema=False),
        _file(found / "swagger-ui-bundle.js", SCRIPT),
        _file(found / "swagger-ui.css", "text/css; charset=utf-8"),
    ]


def _file(path: Path, media_type: str) -> Route:
    async def give(_: Request) -> Response:
        return FileResponse(path, headers=KEPT, media_type=media_type)

    return Route(f"/docs/{path.name}", give, include_in_schema=False)
