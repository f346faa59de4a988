#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is charged for sockets that change hands, by hand and by programs that live of it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/machine.sh
. tests/lib/fixture.sh

port=5800
uid=4701
size=20000000
fixture owner "$machine"

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
	assert_at_least "bytes out of uid $uid" $size "$sent"
}

# Real programs of that kind: they listen as root at $port, and what they start for a client as the
# user sends $size bytes.
serve() { # WAY
	head -c $size /dev/zero >"$work/zeros"
	case $1 in
	inetd) # accepted by root, given to a program as its standard output
		in_machine_start "$cgroup" systemd-socket-activate -l 127.0.0.1:$port --accept --inetd \
			setpriv --reuid "$uid" --regid "$uid" --clear-groups cat "$work/zeros"
		;;
	activated) # the listening socket of root's, accepted by a service that has become the user
		in_machine_start "$cgroup" systemd-socket-activate -l 127.0.0.1:$port python3 -c '
import os, socket, sys
os.setuid(int(sys.argv[1]))
connection, _ = socket.socket(fileno=3).accept()
connection.sendfile(open(sys.argv[2], "rb"))' "$uid" "$work/zeros"
		;;
	socat) # accepted by root, served by a forked child that becomes the user
		in_machine_start "$cgroup" socat -U \
			TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,su=tm-user \
			"OPEN:$work/zeros,rdonly"
		;;
	esac
}

served_is_charged() { # WAY PROGRAM_NEEDED
	need_bpf
	command -v "$2" >/dev/null || skip "no $2"
	local got all sent
	processes_end
	mkdir -p "$work/out"
	rm -f "$work"/out/*
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/out"
	serve "$1" 2>"$work/server.log"
	wait_until 10 machine_listens $port
	got=$(timeout 60 ip netns exec "$machine" bash -c "cat </dev/tcp/127.0.0.1/$port" | wc -c)
	meter_stop || fail "$(cat "$work/log")"
	processes_end
	[ "$got" -eq $size ] || fail "$got of $size bytes were served; $(cat "$work/server.log")"
	sent=$(csv_sum out 2 "$work/out/traffic_user_unknown_$uid.log")
	all=$(csv_sum out 2 "$work"/out/*.log)
	echo "# of $all bytes out, $sent are uid $uid's"
	assert_at_least "bytes out of uid $uid" $size "$sent"
	assert_at_least "per mille of the bytes that are uid $uid's" 999 $((sent * 1000 / all))
}

# The process's cgroup and not the one that its socket was made in, below a job's that is gone when the
# interval ends.
cgroup_is_told() {
	local job=$cgroup/job_4711
	rm -rf "$work/out"
	mkdir "$work/out"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 3600 --output "csv:$work/out"
	mkdir "$job" "$job/step_0"
	in_cgroup "$cgroup" timeout 60 python3 - "$job/step_0" <<-'END'
		import os, socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("127.0.0.1", 0))
		open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
		for i in range(10):
		    s.sendto(b"x" * 100, s.getsockname())
		    s.recv(100)
	END
	rmdir "$job/step_0" "$job"
	meter_stop || fail "the meter: $(cat "$work/log")"
	assert_equal "cgroups and programs of the rows" "${cgroup#"$(cgroup_root)"}/job_4711/step_0 python3" \
		"$(awk -F, '{ print $17, $16 }' "$work/out/traffic_user_unknown_0.log" | sort -u)"
}

[ "$(id -u)" -ne 0 ] || machine_make tm-user:$uid
for way in forked executed passed; do
	run_test "a socket that changes hands: $way" handed_over_is_charged "$way"
done
run_test "a real inetd: systemd-socket-activate --accept" served_is_charged inetd systemd-socket-activate
run_test "a real socket activation" served_is_charged activated systemd-socket-activate
run_test "socat accepts as root and serves as the user" served_is_charged socat socat
run_test "the cgroup is the process's, and known when it is gone" cgroup_is_told
end_tests
