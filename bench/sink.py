# SPDX-License-Identifier: GPL-2.0-or-later
"""sink.py FILE: takes all that comes by TCP and by UDP on two ports of loopback, which it writes into FILE."""
import os, socket, sys, threading

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
datagrams.bind(("127.0.0.1", 0))


def take(receiver):
    buffer = bytearray(1 << 20)
    while receiver.recv_into(buffer):
        pass


def accept():
    while True:
        take(listener.accept()[0])


threading.Thread(target=accept, daemon=True).start()
with open(sys.argv[1] + ".new", "w") as file:
    print(listener.getsockname()[1], datagrams.getsockname()[1], file=file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
take(datagrams)
