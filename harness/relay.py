"""Let containers reach a server that listens on loopback only."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from harness.processes import HOST

PIECE = 65536  # bytes


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Visit(socketserver.BaseRequestHandler):
    """A connection, passed on to the same port of loopback until both sides have ended it."""

    def handle(self) -> None:
        with socket.create_connection((HOST, self.server.server_address[1])) as server:  # type: ignore[index]  # IPv4
            back = threading.Thread(target=_pass_on, args=(server, self.request), daemon=True)
            back.start()
            _pass_on(self.request, server)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(address: str, *ports: int) -> Iterator[None]:
    """Pass what reaches ports of an address of this machine on to those ports of loopback, for a ``with`` block."""
    relays = [_Relay((address, port), _Visit) for port in ports]
    try:
        for relay in relays:
            threading.Thread(target=relay.serve_forever, daemon=True).start()
        yield
    finally:
        for relay in relays:
            relay.shutdown()
            relay.server_close()
