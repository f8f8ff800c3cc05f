#!/usr/bin/env python3
"""A TCP relay whose connections die: the broken link of the demonstration.

  relay.py --to PORT --port-file PATH [--cut-up BYTES] [--cut-down BYTES]

Listens on a free port of 127.0.0.1 and relays to 127.0.0.1:PORT. Once BYTES have passed upwards (to the daemon)
or downwards, both sockets of that connection are reset; later connections live. It runs until it is killed."""
import argparse
import os
import socket
import struct
import threading

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--to", type=int, required=True)
parser.add_argument("--port-file", required=True)
parser.add_argument("--cut-up", type=int)
parser.add_argument("--cut-down", type=int)
arguments = parser.parse_args()
cuts = {"up": arguments.cut_up, "down": arguments.cut_down}


def reset(*ends):
    """Ends connections the hard way: the peers see a reset, and what is on its way is lost."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Wakes the thread that reads here; until it lets go, close would not reach the connection.
        try:
            end.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        end.close()


def relay(client):
    """Moves bytes both ways until an end has ended or a cut is due."""
    server = socket.create_connection(("127.0.0.1", arguments.to))
    lanes = {"up": (client, server), "down": (server, client)}
    passed = {"up": 0, "down": 0}
    turn = threading.Lock()
    finished = []

    def move(direction):
        source, target = lanes[direction]
        try:
            while data := source.recv(65536):
                target.sendall(data)
                passed[direction] += len(data)
                with turn:
                    if cuts[direction] is not None and passed[direction] >= cuts[direction]:
                        cuts[direction] = None
                        reset(client, server)
                        return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with turn:
            finished.append(direction)
            if len(finished) == 2:
                client.close()
                server.close()

    for direction in lanes:
        threading.Thread(target=move, args=(direction,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
with open(arguments.port_file + ".new", "w") as file:
    print(listener.getsockname()[1], file=file)
os.rename(arguments.port_file + ".new", arguments.port_file)
while True:
    threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()
