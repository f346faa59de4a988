#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes that used to be charged to the wrong person: servers' and daemons' sockets that no task of their
# user's is seen using, or another's is seen instead; and names of programs.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

server=61101 # the user whose server it is
client=61102
far=tm-person-$$
shopt -s nullglob
fixture person "$far"
chmod 0755 "$work"

start() { # OPTION...
	need_bpf
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	meter_start "$work/log" "$METER" run --config /dev/null --cgroup "$cgroup" --interval 3600 \
		--output "csv:$work/out" "$@"
}

stop() {
	meter_stop || fail "the meter: $(cat "$work/log")"
	assert_contains "closing line" 'audit: 0 bytes unaccounted' "$(cat "$work/log")"
}

# Bytes of a direction by whom they are charged to, of the rows whose port on this side is that one: a line
# "UID BYTES" each. With another column than the uid: "VALUE BYTES".
by_user() { # in|out PORT [COLUMN]
	awk -F, -v d="$1" -v port="$2" -v c="${3:-0}" '
		$1 == d && (d == "out" ? $11 : $12) == port {
			uid = FILENAME
			sub(/.*_/, "", uid)
			sub(/\.log$/, "", uid)
			sums[c ? $c : uid] += $2
		}
		END { for (i in sums) printf "%s %d\n", i, sums[i] }' "$work/out"/*.log </dev/null | sort
}

bytes_of() { # UID in|out PORT [COLUMN]
	by_user "${@:2}" | awk -v uid="$1" '$1 == uid { print $2; found = 1 } END { if (!found) print 0 }'
}

# All but so many per mille of the bytes of a port are that one's.
assert_most() { # WHO PER_MILLE in|out PORT [COLUMN]
	local sums all
	sums=$(by_user "${@:3}")
	all=$(awk '{ s += $2 } END { print s + 0 }' <<<"$sums")
	echo "# $3, port $4: $(paste -sd ' ' <<<"$sums")"
	assert_at_least "bytes $3 of port $4" 1 "$all"
	assert_at_least "per mille of the bytes $3 of port $4 that are $1's" $((1000 - $2)) \
		$(($(bytes_of "$1" "${@:3}") * 1000 / all))
}

run_python() { in_cgroup "$cgroup" timeout 60 python3 "$work/person.py" "$@" || fail "$*"; }

# What all of them start from: as_user runs a function in a child of that uid's.
cat >"$work/person.py" <<'END'
import ctypes, os, select, socket, sys
import encodings.idna # which a user may not read where python is root's

def as_user(uid, function):
    pid = os.fork()
    if pid == 0:
        os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
        function()
        os._exit(0)
    return pid

def wait_all(*pids):
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0

def listen(port, protocol=0, address="127.0.0.1"):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(512)
    return listener

def read_all(connection):
    n = 0
    while (data := connection.recv(65536)):
        n += len(data)
    return n

def download(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert read_all(connection) == 1000000

# One is in accept() all the time, the other connects: each on a CPU of its own.
def accept(server, client, port, cpus, n):
    cpus = [int(cpu) for cpu in cpus.split(",")]
    listening, ready = os.pipe()

    def serve():
        os.sched_setaffinity(0, cpus[:1])
        listener = listen(port)
        listener.setblocking(False)
        os.write(ready, b"x")
        left = n
        while left:
            try:
                listener.accept()[0].close()
                left -= 1
            except BlockingIOError:
                pass

    def connect():
        os.sched_setaffinity(0, cpus[1:])
        os.read(listening, 1)
        for i in range(n):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.recv(1)
            connection.close()

    wait_all(as_user(server, serve), as_user(client, connect))

# Without MPTCP to one who listens with it, and who is late to accept. A pipe says when.
def mptcp(server, client, port):
    listening, ready = os.pipe()
    connected, all_connected = os.pipe()

    def serve():
        listener = listen(port, 262)
        os.write(ready, b"x")
        os.read(connected, 1)
        for i in range(100):
            connection, _ = listener.accept()
            assert read_all(connection) == 10000
            connection.sendall(b"x" * 10000)
            connection.close()

    def connect():
        os.read(listening, 1)
        connections = [socket.create_connection(("127.0.0.1", port)) for i in range(100)]
        for connection in connections:
            connection.sendall(b"x" * 10000)
            connection.shutdown(socket.SHUT_WR)
        os.write(all_connected, b"x")
        for connection in connections:
            assert read_all(connection) == 10000

    wait_all(as_user(server, serve), as_user(client, connect))

# A server of root's that takes on the user's effective uid, or that for files alone; and one that the user
# has started with root's rights.
def daemon(server, client, port, way):
    listener = listen(port)
    pid = as_user(client, lambda: download(port))
    connection, _ = listener.accept()
    if way == "effective":
        os.setresuid(-1, server, -1)
    elif way == "files":
        ctypes.CDLL(None).setfsuid(server)
    else:
        os.setresuid(server, 0, 0)
    connection.sendall(b"x" * 1000000)
    connection.close()
    if way == "effective":
        os.setresuid(-1, 0, -1)
    wait_all(pid)

# A connection is there, and used, before its server's login uid is. So many bytes are sent after that; or, where
# that is 0, one at a time until a word comes.
def login(server, port, n):
    listener = listen(port)
    def read():
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(100)
            connection.sendall(b"USER anna\r\n")
            read_all(connection)
    pid = as_user(server + 1, read)
    connection, _ = listener.accept()
    connection.sendall(b"220 ready\r\n")
    connection.recv(100)
    open("/proc/self/loginuid", "w").write(str(server))
    connection.sendall(b"x" * n)
    while not n and not select.select([0], [], [], 0.01)[0]:
        connection.sendall(b"x")
    connection.close()
    wait_all(pid)

# An inetd: root listens and accepts, a user's program reads to the end.
def inetd(server, port, size, address="127.0.0.1"):
    listener = listen(port, 0, address)
    print("ready", flush=True)
    connection, _ = listener.accept()
    def read():
        listener.close()
        os.dup2(connection.fileno(), 0)
        os.execvp("cat", ["cat"])
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    pid = as_user(server, read)
    connection.close()
    wait_all(pid)

def send(port, size, address="127.0.0.1"):
    with socket.create_connection((address, port)) as connection:
        connection.sendall(b"x" * size)

def send_datagrams(address, port, n):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(n):
            s.sendto(b"x", (address, port))

# A process with a name of its own, whose threads have others; then it takes another name.
def threads(port, name):
    import threading
    libc = ctypes.CDLL(None)
    libc.prctl(15, b"first", 0, 0, 0)
    def run():
        libc.prctl(15, b"Socket Thread", 0, 0, 0)
        send_datagrams("127.0.0.1", port, 100)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if name == "empty":
        libc.prctl(15, b"", 0, 0, 0)
        send_datagrams("127.0.0.1", port, 100)

# Takes the next name when it is told to by a line, and sends all the time, on one socket.
def rename(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for name in (b"before", b"after"):
        ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
        while not select.select([0], [], [], 0.01)[0]:
            s.sendto(b"x", ("127.0.0.1", port))
        os.read(0, 1)

if __name__ == "__main__":
    globals()[sys.argv[1]](*[int(a) if a.isdecimal() else a for a in sys.argv[2:]])
END

test_listener() {
	local cpus
	cpus=$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2], sep=",")')
	[[ $cpus == *,* ]] || skip "needs two CPUs"
	start
	run_python accept $server $client 7001 "$cpus" 5000
	stop
	assert_most $server 0 out 7001
	assert_most $server 0 in 7001
}

test_mptcp() {
	[ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null)" = 1 ] || skip "no MPTCP here"
	start
	run_python mptcp $server $client 7002
	stop
	assert_most $server 0 out 7002
	assert_most $server 0 in 7002
	assert_at_least "bytes in of the server" $((100 * 10000)) "$(bytes_of $server in 7002)"
}

# Root's are the handshake and, where the daemon closes as root again, the end.
test_daemon() { # WAY
	start
	run_python daemon $server $client 7003 "$1"
	stop
	assert_most $server 1 out 7003
	assert_at_least "bytes out of the user's" 1000000 "$(bytes_of $server out 7003)"
}

need_login() {
	[ "$(cat /proc/self/loginuid 2>/dev/null)" = 4294967295 ] || skip "login uids can't be set here"
}

# Before the login root's are the handshake and two lines, each way.
test_login() {
	need_login
	start --owner login
	run_python login $server 7004 10000000
	stop
	assert_most $server 1 out 7004
	assert_at_least "bytes out of who logged in" 10000000 "$(bytes_of $server out 7004)"
	[ "$(bytes_of 0 in 7004)" -le 400 ] || fail "bytes in of root: $(bytes_of 0 in 7004)"
}

login_is_told() { [ "$(bytes_of $server out 7010 15)" -gt 0 ]; }

test_login_told() {
	local word
	need_login
	start --interval 1
	exec {word}<>"$work/words"
	in_cgroup_start "$cgroup" timeout 60 python3 "$work/person.py" login $server 7010 0 <&"$word"
	wait_until 20 login_is_told
	printf x >&"$word"
	wait "$started_pid" || fail "the server"
	stop
}

# In one interval: what came before the program was seen is its user's too.
test_upload() { # BYTES
	start
	in_cgroup_start "$cgroup" timeout 60 python3 "$work/person.py" inetd $server 7005 "$1" >"$work/served"
	wait_until 10 grep -q ready "$work/served"
	python3 "$work/person.py" send 7005 "$1"
	wait "$started_pid" || fail "the server"
	stop
	assert_most $server 10 in 7005
	assert_at_least "bytes in of the user's" "$1" "$(bytes_of $server in 7005)"
}

# The same over a link of 20 Mbit/s.
test_slow_upload() { # BYTES
	ip netns add "$far"
	ip link add tm-person type veth peer name veth0 netns "$far"
	ip addr add 10.79.0.1/24 dev tm-person
	ip link set tm-person up
	ip -n "$far" addr add 10.79.0.2/24 dev veth0
	ip -n "$far" link set veth0 up
	tc -n "$far" qdisc add dev veth0 root tbf rate 20mbit burst 16kb latency 100ms || skip "no tbf in this kernel"
	start
	in_cgroup_start "$cgroup" timeout 60 python3 "$work/person.py" inetd $server 7006 "$1" 10.79.0.1 >"$work/served"
	wait_until 10 grep -q ready "$work/served"
	ip netns exec "$far" python3 "$work/person.py" send 7006 "$1" 10.79.0.1
	wait "$started_pid" || fail "the server"
	stop
	assert_most $server 10 in 7006
	assert_at_least "bytes in of the user's" "$1" "$(bytes_of $server in 7006)"
}

slow_upload() {
	local code
	(test_slow_upload "$1")
	code=$?
	netns_remove "$far"
	exit $code
}

programs_of() { # PORT
	awk -F, -v port="$1" '$1 == "out" && $12 == port { print $16 }' "$work/out"/*.log </dev/null | sort | uniq -c |
		awk '{ print $2 }' | paste -sd ' '
}

test_program() {
	start
	run_python threads 7007 ''
	run_python threads 7008 empty
	stop
	assert_equal "the process's name" first "$(programs_of 7007)"
	assert_equal "a process whose name is empty" "? first" "$(programs_of 7008)"
}

has_programs() { [ "$(programs_of 7009)" = "$1" ]; }

test_rename() {
	local word
	start --interval 1
	exec {word}<>"$work/words"
	in_cgroup_start "$cgroup" timeout 60 python3 "$work/person.py" rename 7009 <&"$word"
	wait_until 20 has_programs before
	printf x >&"$word"
	wait_until 20 has_programs "after before"
	printf x >&"$word"
	wait "$started_pid" || fail "the sender"
	stop
}

need_bpf
mkfifo "$work/words" # by which a test tells a process to go on
cp "$TRAFFIC" "$work/traffic" # the checkout may be where only root can go
TRAFFIC=$work/traffic
run_test "a listener stays its server's, whoever connects" test_listener
run_test "without MPTCP to who listens with it: the server's" test_mptcp
for way in effective files; do
	run_test "a daemon of root's that serves a user: $way uid" test_daemon $way
done
run_test "a set-user-ID program is its starter's" test_daemon set-user-id
run_test "a login uid that comes later is charged" test_login
run_test "a login uid that comes later is told" test_login_told
for bytes in 60000 200000 1000000; do
	run_test "an upload of $bytes bytes to a program that only reads" test_upload $bytes
	run_test "an upload of $bytes bytes over a link of 20 Mbit/s" slow_upload $bytes
done
run_test "a program is its process, whatever its threads are called" test_program
run_test "a process takes another name" test_rename
end_tests
