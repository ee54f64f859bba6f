"""Serving the built console: files by name, its one page for every other address."""

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from robot_rl.server.methods import CONSOLE, check_address, is_api, other_method

NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>robot-rl</title>
<body style="font: 1rem/1.5 system-ui; max-width: 40rem; margin: 4rem auto">
<h1>The console is not built</h1>
<p>The server runs. Run <code>make ui</code> in the repository, then load this page again.</p>
</body></html>"""

# The page may talk to its own server only ('self' covers its WebSockets); the viewer of recordings
# runs WebAssembly.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; worker-src 'self' blob:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {"Content-Security-Policy": POLICY}
FOREVER = "public, max-age=31536000, immutable"  # Vite puts a hash into the names of its assets


def mount(app: FastAPI, folder: Path) -> None:
    """The last route: takes every GET that no other one took."""

    @app.get(CONSOLE, include_in_schema=False)
    def page(path: str, request: Request) -> Response:
        check_address(path)
        if is_api(f"/{path}"):
            return other_method(request)
        root = folder.resolve()
        file = (root / path).resolve()
        if path and file.is_relative_to(root) and file.is_file():
            cache = FOREVER if path.startswith("assets/") else "no-cache"
            return FileResponse(file, headers={**HEADERS, "Cache-Control": cache})
        index = root / "index.html"
        if not index.is_file():
            return HTMLResponse(NOT_BUILT, headers=HEADERS)
        return FileResponse(index, headers={**HEADERS, "Cache-Control": "no-cache"})
