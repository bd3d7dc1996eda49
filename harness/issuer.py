"""An OpenID Connect issuer that containers reach and trust: its two documents over TLS, as production insists."""

import json
import ssl
import subprocess
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.containers import Containers

COORDINATE = 32  # bytes of each of the two that end the DER of a public key on the curve P-256


@contextmanager
def issuing(docker: Containers) -> Iterator[str]:
    """Run an issuer for a ``with`` block, entered with its address.

    Its only key is that of its certificate, for which nobody here signs a token.
    """
    host = docker.host

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Documents) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(docker.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        address = f"https://{host}:{server.server_port}"
        documents = {
            "/.well-known/openid-configuration": {"issuer": address, "jwks_uri": f"{address}/keys"},
            "/keys": {"keys": [_public_key(docker)]},
        }
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


def _public_key(docker: Containers) -> dict[str, str]:
    """Return the public key of the certificate as issuers show it (RFC 7517)."""
    command = ["openssl", "pkey", "-in", str(docker.certificate), "-pubout", "-outform", "DER"]
    key = subprocess.run(command, check=True, capture_output=True).stdout
    x, y = (
        urlsafe_b64encode(part).rstrip(b"=").decode("ascii")
        for part in (key[-2 * COORDINATE : -COORDINATE], key[-COORDINATE:])
    )
    return {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "tls", "x": x, "y": y}
