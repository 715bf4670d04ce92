"""Healthy servers and clients that look like trouble. A role, then what it needs.

Each prints its port where it has one, and runs until it is killed."""

import base64
import hashlib
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLIENTS = 30
POLL_SECONDS = 25


def listen():
    server = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(server.getsockname()[1], flush=True)
    return server


def forever():
    while True:
        time.sleep(3600)


def websocket_server():
    """Answers handshakes, greets, and waits for clients that say nothing."""

    def serve(client):
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
        key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        magic = key.split(b":", 1)[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic).digest())
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x05hello")
        while client.recv(4096):
            pass

    server = listen()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def websocket_clients(port):
    held = []
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        client.recv(4096)
        held.append(client)
    forever()


class Poll(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(POLL_SECONDS)
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def polling_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Poll)
    print(server.server_port, flush=True)
    server.serve_forever()


def polling_clients(port):
    def poll():
        client = socket.create_connection(("127.0.0.1", port))
        while True:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(4096)

    for _ in range(CLIENTS):
        threading.Thread(target=poll, daemon=True).start()
    forever()


def streaming_server():
    """Reads to the end of each request, then sends a little every second."""

    def stream(client):
        while client.recv(4096):
            pass
        while True:
            client.sendall(b"more\n")
            time.sleep(1)

    server = listen()
    while True:
        threading.Thread(target=stream, args=(server.accept()[0],), daemon=True).start()


def half_closing_clients(port):
    """Say that they have sent everything, and read on."""
    held = []
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"everything\n")
        client.shutdown(socket.SHUT_WR)
        threading.Thread(target=lambda client=client: all(iter(lambda: client.recv(4096), b"")), daemon=True).start()
        held.append(client)
    forever()


def half_close_proxy(port):
    """Passes on what comes, each direction until its own end."""

    def passing(source, sink):
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    server = listen()
    while True:
        client = server.accept()[0]
        upstream = socket.create_connection(("127.0.0.1", port))
        for pair in [(client, upstream), (upstream, client)]:
            threading.Thread(target=passing, args=pair, daemon=True).start()


def redis_clients(port):
    """A pool at rest: each connection was used once."""
    held = []
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"PING\r\n")
        client.recv(64)
        held.append(client)
    forever()


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*map(int, sys.argv[2:]))
