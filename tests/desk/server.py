"""The desk alone in a page, on a loopback port, with Streamlit's variables and the fake API behind it.

    python -m tests.desk.server [--port 8899] [--fresh]

Then open `/?theme=light`, or `/?theme=dark`. `--fresh` is a workspace in which nobody has decided anything.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.desk.fake_api import FakeApi
from ui.components.desk import HERE, joined_javascript

THEMES = {
    "light": {
        "--st-background-color": "#FFFFFF",
        "--st-secondary-background-color": "#F6F7F8",
        "--st-text-color": "#1A1D22",
        "--st-primary-color": "#2F5BEA",
        "--st-border-color": "#CBD0D8",
        "--st-font": "Inter, sans-serif",
    },
    "dark": {
        "--st-background-color": "#17191D",
        "--st-secondary-background-color": "#262A31",
        "--st-text-color": "#ECEEF1",
        "--st-primary-color": "#4469F0",
        "--st-border-color": "#3E444E",
        "--st-font": "Inter, sans-serif",
    },
}
PAGE = """<!doctype html><meta charset="utf-8"><title>Desk</title>
<style>@font-face {{ font-family: "Material Symbols Rounded"; src: url(/icons.woff2); }}
body {{ margin: 0; background: {background}; color: {text}; font: 14px Inter; }}
.page {{ display: grid; grid-template-columns: {sidebar}px minmax(0, 1fr); height: 100vh; overflow: hidden; }}
.side {{ box-sizing: border-box; background: {side}; border-right: 1px solid {border}; padding: 20px; }}
#place {{ display: contents; {variables} }} #host {{ width: 100%; height: 100%; }}</style>
<div class="page"><div class="side">Wordreel</div><div id="place"><div id="host"></div></div></div>
<script type="module">
  import mount from "/desk.js";
  const root = document.querySelector("#host").attachShadow({{ mode: "open" }});
  const [html, css] = await Promise.all(["/desk.html", "/desk.css"].map(async (path) => (await fetch(path)).text()));
  const box = document.createElement("div");
  box.append(document.createRange().createContextualFragment(html));
  const style = document.createElement("style");
  style.textContent = css;
  box.append(style);
  root.append(box);
  const component = {{ parentElement: root, data: {data}, key: "desk", name: "desk", setStateValue() {{}}, setTriggerValue() {{}} }};
  window.leave = mount(component);
  window.again = () => mount(component);
</script>"""


class Handler(BaseHTTPRequestHandler):
    """Page, files of the component, media with ranges, the fake API, and `/control` for a test's wishes."""

    protocol_version = "HTTP/1.1"
    api: FakeApi
    icons_path: Path

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Stay quiet."""

    def do_GET(self) -> None:  # noqa: N802 - the name is the base class's
        """Answer a read."""
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        if url.path == "/":
            return self._send(200, desk_page(query).encode(), "text/html; charset=utf-8")
        if url.path == "/desk.js":
            return self._send(200, joined_javascript().encode(), "text/javascript; charset=utf-8")
        if url.path in ("/desk.html", "/desk.css"):
            return self._send(200, (HERE / url.path[1:]).read_bytes(), "text/plain; charset=utf-8")
        if url.path == "/icons.woff2":
            return self._send(200, self.icons_path.read_bytes(), "font/woff2")
        if url.path.startswith("/media/"):
            return self._media(url.path.removeprefix("/media/"))
        if url.path.startswith("/api/"):
            return self._api(url.path, query, None)
        return self._send(404, b"not here", "text/plain")

    def do_POST(self) -> None:  # noqa: N802 - the name is the base class's
        """Answer a write."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/control":
            return self._control(body)
        if self.headers.get("X-Wordreel") != "desk":
            return self._json(403, {"code": "refused", "message": "No header of ours.", "hint": ""})
        return self._api(urlsplit(self.path).path, {}, body)

    def _control(self, body: dict[str, Any]) -> None:
        if "reset" in body:
            self.api.reset(body["reset"])
        for name, value in body.get("faults", {}).items():
            setattr(self.api.faults, name, set(value) if name in ("gone", "broken", "only") else value)
        self._json(200, {"events": self.api.events, "posts": self.api.posts})

    def _api(self, path: str, query: dict[str, str], body: dict[str, Any] | None) -> None:
        time.sleep(self.api.faults.delay_s)
        if self.api.faults.is_offline:
            self.close_connection = True
            self.connection.close()
            return
        if body is not None:
            self.api.posts.append((path, body))
        status, answer = self._answer(path, query, body)
        self._json(status, answer)

    def _answer(self, path: str, query: dict[str, str], body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if path == "/api/review/desk":
            return 200, self.api.desk(query)
        if found := re.fullmatch(r"/api/review/visits/([^/]+)", path):
            visit = self.api.visits.get(unquote(found[1]))
            return (200, visit) if visit else (404, {"code": "not_found", "message": "No such clip.", "hint": ""})
        if body is None:
            return 404, {"code": "not_found", "message": path, "hint": ""}
        if found := re.fullmatch(r"/api/mappings/([^/]+)/decisions", path):
            return self.api.decide(unquote(found[1]), body)
        if path in ("/api/review/undo", "/api/review/redo"):
            return self.api.turn(body, is_undo=path.endswith("undo"))
        if found := re.fullmatch(r"/api/clips/([^/]+)/transcript", path):
            return self.api.correct(unquote(found[1]), body)
        return 404, {"code": "not_found", "message": path, "hint": ""}

    def _media(self, name: str) -> None:
        clip_id, _, ending = name.partition(".")
        clip = self.api.clips.get(clip_id)
        if clip is None or clip_id in self.api.faults.gone:
            return self._send(404, b"", "text/plain")
        data = (clip.path if ending == "mp4" else clip.still_path).read_bytes()
        if clip_id in self.api.faults.broken and ending == "mp4":
            data = b"<html>not a film</html>"
        kind = "video/mp4" if ending == "mp4" else "image/jpeg"
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return self._send(200, data, kind, {"Accept-Ranges": "bytes"})
        first, last = int(found[1]), min(len(data) - 1, int(found[2] or len(data) - 1))
        return self._send(
            206, data[first : last + 1], kind, {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{len(data)}"}
        )

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def desk_page(query: dict[str, str]) -> str:
    """The page with the desk in it, in the `theme` that is asked for; `limit` is how many clips the server names at once."""
    theme = query.get("theme", "light")
    variables = " ".join(f"{name}: {value};" for name, value in THEMES[theme].items())
    dark = theme == "dark"
    filters = {"limit": query["limit"]} if "limit" in query else {}
    data = {"api_base": "/api", "has_decided": False, "filters": filters, "links": {}}
    return PAGE.format(
        background=THEMES[theme]["--st-background-color"],
        text=THEMES[theme]["--st-text-color"],
        side="#111317" if dark else "#F6F7F8",
        border="#2A2E35" if dark else "#E3E6EA",
        variables=variables,
        sidebar=int(query.get("sidebar", "208")),
        data=json.dumps(data),
    )


def icons_path() -> Path:
    """The icons that Streamlit ships."""
    import streamlit

    return next((Path(streamlit.__file__).parent / "static" / "static" / "media").glob("MaterialSymbols-Rounded*.woff2"))


def serve(folder: Path, port: int = 0, n_decided: int = 37) -> ThreadingHTTPServer:
    """Make the clips and start answering on a thread; `server_address` tells the port, `shutdown()` ends it."""
    handler = type(
        "DeskHandler",
        (Handler,),
        {
            "api": FakeApi(folder, n_decided=n_decided),
            "icons_path": icons_path(),
        },
    )
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Serve until interrupted."""
    arguments = argparse.ArgumentParser(description="The review desk alone, on made-up answers.")
    arguments.add_argument("--port", type=int, default=8899)
    arguments.add_argument("--fresh", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = serve(Path(folder), chosen.port, 0 if chosen.fresh else 37)
        print(f"http://127.0.0.1:{server.server_address[1]}/?theme=light", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
