#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is charged: a real sshd, and sockets that change hands.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh

work=$(mktemp -d)
cgroup=
port=5822
uid=4701
cleanup() {
	[ -z "${meter_pid:-}" ] || kill -KILL "$meter_pid" 2>/dev/null
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	rm -rf "$work"
}
trap cleanup EXIT

# sshd with a user of the test's own, in a mount namespace where the user databases are the test's
# and nothing of the host's changes. Its sockets are in the metered cgroup; the client's are not.
sshd_start() {
	mkdir -p "$work/home" "$work/etc"
	rm -f "$work/host_key" "$work/key"
	ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$work/key"
	cp "$work/key.pub" "$work/authorized_keys"
	chmod 0755 "$work"
	cp /etc/passwd /etc/shadow /etc/group "$work/etc/"
	echo "tm-user:x:$uid:$uid::$work/home:/bin/sh" >>"$work/etc/passwd"
	echo "tm-user:*:19000:0:99999:7:::" >>"$work/etc/shadow"
	echo "tm-user:x:$uid:" >>"$work/etc/group"
	chown "$uid:$uid" "$work/home"
	cat >"$work/sshd_config" <<-END
		Port $port
		ListenAddress 127.0.0.1
		HostKey $work/host_key
		AuthorizedKeysFile $work/authorized_keys
		StrictModes no
		UsePAM yes
		PidFile $work/sshd.pid
		Subsystem sftp internal-sftp
	END
	in_cgroup "$cgroup" unshare -m bash -c '
		mount -t tmpfs none /run && mkdir -m 0755 /run/sshd
		for file in passwd shadow group; do mount --bind "$0/etc/$file" "/etc/$file"; done
		exec /usr/sbin/sshd -D -e -f "$0/sshd_config"' "$work" >"$work/sshd.log" 2>&1 &
	wait_until 20 test -s "$work/sshd.pid"
}

sshd_stop() {
	local pid
	pid=$(cat "$work/sshd.pid")
	kill "$pid"
	wait_until 20 test ! -e "/proc/$pid"
}

scp_file() { # FROM TO
	timeout 60 scp -q -P "$port" -i "$work/key" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$1" "$2"
}

# Per mille of the bytes in and out of all files that are a uid's.
share_of() { # UID
	awk -F, -v file="_$1.log" '{ all += $2 } index(FILENAME, file) { own += $2 }
		END { printf "%d\n", all ? own * 1000 / all : 0 }' "$work"/out/*.log
}

bytes_of() { awk -F, '{ s += $2 } END { printf "%d\n", s }' "$work"/out/*.log; }

scp_is_charged() { # POLICY UID
	need_bpf
	[ -x /usr/sbin/sshd ] || skip "no sshd"
	mkdir -p "$work/out"
	rm -f "$work"/out/*
	head -c 50000000 /dev/urandom >"$work/file"
	sshd_start
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --owner "$1" \
		--output "csv:$work/out"
	scp_file "$work/file" "tm-user@127.0.0.1:up"
	scp_file "tm-user@127.0.0.1:up" "$work/down"
	meter_stop || fail "$(cat "$work/log")"
	sshd_stop
	cmp "$work/file" "$work/down"
	assert_at_least "bytes metered" 100000000 "$(bytes_of)"
	assert_at_least "per mille of the bytes that are uid $2's" 999 "$(share_of "$2")"
	if [ "$1" != socket ]; then
		assert_contains "program" ',sshd,' "$(grep tcp "$work/out/traffic_user_unknown_$2.log" | head -n 1)"
	fi
}

# A server that accepts as root and serves in a child of another user's; a child that is given a
# connected socket by its root parent; a socket passed by SCM_RIGHTS to a process of another user's.
hand_over() { # WAY
	in_cgroup "$cgroup" timeout 60 python3 - "$1" "$uid" <<-'END'
		import os, socket, sys
		way, uid = sys.argv[1], int(sys.argv[2])
		size = 20000000
		listener = socket.create_server(("127.0.0.1", 0))
		sink = os.fork()
		if sink == 0:
		    c = socket.socket()
		    c.connect(listener.getsockname())
		    left = size
		    while left:
		        left -= len(c.recv(65536))
		    os._exit(0)
		connection, _ = listener.accept()
		if way == "passed":
		    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
		    if os.fork() == 0:
		        connection.close()
		        os.setuid(uid)
		        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
		        socket.socket(fileno=fds[0]).sendall(b"x" * size)
		        os._exit(0)
		    socket.send_fds(ours, [b"x"], [connection.fileno()])
		elif os.fork() == 0:
		    os.setuid(uid)
		    if way == "executed":
		        os.set_inheritable(connection.fileno(), True)
		        os.execv("/bin/sh", ["sh", "-c", "head -c %d /dev/zero >&%d" % (size, connection.fileno())])
		    connection.sendall(b"x" * size)
		    os._exit(0)
		connection.close()
		codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)]
		sys.exit(any(codes))
	END
}

handed_over_is_charged() { # WAY
	need_bpf
	local sent
	mkdir -p "$work/out"
	rm -f "$work"/out/*
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/out"
	hand_over "$1"
	meter_stop || fail "$(cat "$work/log")"
	# From the first byte used on: all of the payload.
	sent=$(csv_sum out 2 "$work/out/traffic_user_unknown_$uid.log")
	assert_at_least "bytes out of uid $uid" 20000000 "$sent"
}

[ "$(id -u)" -ne 0 ] || cgroup=$(cgroup_make owner)
run_test "scp is charged to who logged in (process)" scp_is_charged process "$uid"
run_test "scp is charged to who logged in (login)" scp_is_charged login "$uid"
run_test "scp is charged to root by the policy socket" scp_is_charged socket 0
for way in forked executed passed; do
	run_test "a socket that changes hands: $way" handed_over_is_charged "$way"
done
end_tests
