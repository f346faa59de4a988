# SPDX-License-Identifier: GPL-2.0-or-later
# Asking a meter for live numbers, without the program's own client: sourced after meter.sh.

# live_ask REQUEST [ANSWERS]: the answers of the meter of $meter_instance, a line each.
live_ask() {
	python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(20)
    client.connect(sys.argv[1])
    client.sendall(sys.argv[2].encode() + b"\n")
    lines = client.makefile()
    for i in range(int(sys.argv[3])):
        print(lines.readline(), end="", flush=True)
' "/run/traffic-meter/$meter_instance.sock" "$1" "${2:-1}"
}

# live_user UID WAY WHAT: out of an answer to `users` on standard input; 0 when the uid has none.
live_user() {
	json_value "next((u['$2']['$3'] for u in status['users'] if u['uid'] == $1), 0)"
}
