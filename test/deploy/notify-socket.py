"""Stands in for the service manager: prints each datagram that comes on a unix socket as one line of JSON."""

import json
import socket
import sys

path = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
# As systemd writes it in NOTIFY_SOCKET: a leading @ is a name in the abstract namespace.
receiver.bind("\0" + path[1:] if path.startswith("@") else path)
print(json.dumps("listening"), flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode().split("\n")), flush=True)
