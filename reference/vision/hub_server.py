"""A server in the layout of the Hugging Face Hub, for files made here.

    with HubServer({"timm/resnet50.tv_in1k": path}) as hub: ...

`GET /REPOSITORY/resolve/main/model.safetensors` redirects to a second address that
honours `Range`, as the hub does; headers declare commit, sha256 and length. It also
serves as a proxy: whatever host a tunnel is asked for, it ends here.
`break_after` cuts the next answer short, `lie` declares another sha256, and
`requests` holds what was asked.
"""

import hashlib
import http.server
import pathlib
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {name: pathlib.Path(path) for name, path in files.items()}
        self.hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.files.items()}
        self.break_after, self.lie, self.requests = None, False, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def do_CONNECT(self):
        self.server.requests.append((self.command, self.path, None))
        self.head(200, {})

    def answer(self, with_body):
        hub = self.server
        hub.requests.append((self.command, self.path, self.headers.get("Range")))
        path = self.path.strip("/")
        stored = path.startswith("stored/")
        name = path.removeprefix("stored/") if stored else path.removesuffix("/resolve/main/model.safetensors")
        if name not in hub.files:
            return self.head(404, {"Content-Length": "0"})
        length = hub.files[name].stat().st_size
        if not stored:
            declared = hashlib.sha256(b"another file").hexdigest() if hub.lie else hub.hashes[name]
            return self.head(
                302,
                {
                    "Location": f"{hub.url}/stored/{name}".replace("127.0.0.1", "localhost"),
                    "X-Repo-Commit": COMMIT,
                    "X-Linked-Etag": f'"{declared}"',
                    "X-Linked-Size": str(length),
                    "Content-Length": "0",
                },
            )
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self.head(
            206 if asked else 200,
            {
                "Content-Length": str(length - start),
                **({"Content-Range": f"bytes {start}-{length - 1}/{length}"} if asked else {}),
            },
        )
        if not with_body:
            return
        with hub.files[name].open("rb") as file:
            file.seek(start)
            left, hub.break_after = hub.break_after, None
            while chunk := file.read(1 << 20 if left is None else min(left, 1 << 20)):
                self.wfile.write(chunk)
                if left is not None:
                    left -= len(chunk)
        if left is not None:
            self.close_connection = True

    def head(self, status, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
