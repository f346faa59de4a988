#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many short connections of many users at once: 50,000 by 200 uids, each to a port of its own, by
# which nftables counts. The meter has its default options.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
netns=tm-stress-$$
fixture stress "$netns"

users=200
connections=250 # of each
servers=4       # one process serves some of the ports
first_port=10000
first_uid=5000
reply=1500

# A connection stays on one CPU with both its ends. On two, an acknowledgement that one of them sends
# may be overtaken by the FIN that the other one does; it is then answered from TIME_WAIT, to a socket
# that may be gone, and that answer and the reset it causes belong to nobody (once in 100,000).
mapfile -t cpus < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)), sep="\n")')
cpu_of() { echo "${cpus[$(($1 * servers / users % ${#cpus[@]}))]}"; } # USER

in_netns() { ip netns exec "$netns" "$@"; }

# What goes to a port is its user's, and what comes from it.
witness_start() {
	local i
	{
		echo 'table ip witness {'
		for ((i = 0; i < users; i++)); do
			printf 'counter out%d {}\ncounter in%d {}\n' $i $i
		done
		echo 'chain output { type filter hook output priority 300;'
		printf 'counter name tcp dport map {'
		for ((i = 0; i < users; i++)); do printf '%d : "out%d", ' $((first_port + i)) $i; done
		printf '}\n}\nchain input { type filter hook input priority 300;\n'
		printf 'counter name tcp sport map {'
		for ((i = 0; i < users; i++)); do printf '%d : "in%d", ' $((first_port + i)) $i; done
		printf '}\n}\n}\n'
	} | in_netns nft -f -
}

# Nothing is lost here, so nothing has to be sent twice. What is all the same, by the impatient timer
# of a busy machine, may come when the client's socket is gone and nobody's in the cgroup any more.
make_netns() {
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	ip -n "$netns" route replace local 127.0.0.1 dev lo table local src 127.0.0.1 rto_min 30s
	in_netns sysctl -qw net.ipv4.ip_local_port_range="20000 60999" net.ipv4.tcp_early_retrans=0
}

# The servers close first, so that it is their side that goes through TIME_WAIT, the packets of
# which are nobody's.
serve() {
	local i ports=$((users / servers)) pid
	for ((i = 0; i < servers; i++)); do
		: >"$work/server$i"
		in_netns taskset -c "$(cpu_of $((i * ports)))" "$TRAFFIC" tcp-serve \
			--bind 127.0.0.1 $((first_port + i * ports)) --ports $ports --expect 100 --reply $reply \
			--connections $((ports * connections)) --timeout 200 >"$work/server$i" &
		pid=$!
		process_note $pid
		server_pids+=($pid)
		wait_until 10 grep -q ready "$work/server$i"
	done
}

# All users at once.
connect() {
	local i pids=() pid
	for ((i = 0; i < users; i++)); do
		in_cgroup "$cgroup" ip netns exec "$netns" taskset -c "$(cpu_of $i)" "$TRAFFIC" tcp-many \
			--to 127.0.0.1 $((first_port + i)) --uid $((first_uid + i)) --connections $connections \
			--bytes 100 --expect-reply $reply --timeout 200 >>"$work/clients" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || return; done
}

# No acknowledgement is under way any more.
no_connections() { [ -z "$(in_netns ss -Htan state connected exclude time-wait)" ]; }

# Each user's file against the counters; prints sums.
compare() {
	in_netns nft -j list counters table ip witness >"$work/counters"
	python3 - "$work" $users $first_uid <<-'END'
		import csv, json, sys
		work, users, first_uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		counters = {}
		for entry in json.load(open(work + "/counters"))["nftables"]:
		    if "counter" in entry:
		        counters[entry["counter"]["name"]] = entry["counter"]
		sums, wrong = [0, 0], 0
		for user in range(users):
		    got = {"in": [0, 0], "out": [0, 0]}
		    for row in csv.reader(open("%s/traffic_user_unknown_%d.log" % (work, first_uid + user))):
		        got[row[0]][0] += int(row[7])
		        got[row[0]][1] += int(row[1])
		    for direction in got:
		        counter = counters["%s%d" % (direction, user)]
		        sums = [a + b for a, b in zip(sums, got[direction])]
		        if got[direction] != [counter["packets"], counter["bytes"]]:
		            wrong += 1
		            print("# uid %d %s: packets and bytes %s, by nftables %d, %d" %
		                  (first_uid + user, direction, got[direction],
		                   counter["packets"], counter["bytes"]))
		print("# %d packets, %d bytes, both ways" % tuple(sums))
		sys.exit(wrong > 0)
	END
}

short_connections() {
	local server_pids=() pid status
	need_bpf
	command -v nft ss >/dev/null || skip "needs nft and ss"
	witness_start
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work"
	serve
	connect || fail "clients: $(cat "$work/clients")"
	for pid in "${server_pids[@]}"; do wait "$pid" || fail "servers: $(cat "$work"/server*)"; done
	assert_equal "connections" $((users * connections)) \
		"$(sed -E 's/.*connections=([0-9]+).*/\1/' "$work/clients" | awk '{ s += $1 } END { print s }')"
	wait_until 30 no_connections
	status=$(meter_status) || fail "exit code $? of status: $status"
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
	assert_equal "files" $users "$(find "$work" -name 'traffic_user_*' | wc -l)"
	assert_equal "rows that are no flow's" 0 "$(cat "$work"/traffic_user_* | awk -F, '$18 != "flow"' | wc -l)"
	compare
}

[ "$(id -u)" -ne 0 ] || make_netns
run_test "$((users * connections)) connections of $users users agree with nftables" short_connections
end_tests
