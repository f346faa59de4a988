#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A host of containers: 5,000 interfaces at the start, more of them while it meters. The start takes seconds,
# descriptors are left for the outputs, and frames of packet sockets are counted at all of them.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
net=tm-many-$$
fixture many "$net"
enter="nsenter --net=/run/netns/$net"

pairs() { # FIRST LAST
	local i
	for ((i = $1; i <= $2; i++)); do echo "link add a$i type veth peer name b$i"; done | ip -n "$net" -batch -
	echo "link set a$2 up
link set b$2 up
addr add 10.78.0.1/24 dev a$2" | ip -n "$net" -batch -
}

begin() { # PAIRS
	need_bpf
	trap processes_end EXIT
	rm -rf "${work:?}"/*
	netns_remove "$net" || :
	ip netns add "$net"
	ip -n "$net" link set lo up
	pairs 1 "$1"
}

# Frames of a packet socket by an interface, 40,000 bytes and their headers.
send_frames() { # DEVICE
	in_cgroup "$cgroup" $enter "$TRAFFIC" road packet --to 10.78.0.2 5000 --device "$1" \
		--mac "$(ip -n "$net" -o link show dev "b${1#a}" | sed -E 's/.*link\/ether ([^ ]+).*/\1/')" \
		--bytes 40000 --size 1000 --uid 50001 >>"$work/sent"
}

# A start with so many pairs, a limit of open files as a login shell has it, and three users' files.
many() { # PAIRS COMMAND...
	local user begin_ns ms n
	begin "$1"
	shift
	begin_ns=$(date +%s%N)
	(
		ulimit -S -n 1024
		exec $enter "$METER" run --config /dev/null --instance "$meter_instance" --cgroup "$cgroup" --interval 1 \
			--output "csv:$work" --output "json:$work/lines" 2>"$work/log"
	) &
	meter_pid=$!
	process_note $meter_pid
	wait_until 30 grep -q 'records go to json' "$work/log"
	ms=$((($(date +%s%N) - begin_ns) / 1000000))
	n=$(ls "/proc/$meter_pid/fd" | wc -l)
	echo "# start: $ms ms, $n descriptors"
	[ $ms -lt 5000 ] || fail "the start took $ms ms"
	[ "$n" -lt 200 ] || fail "$n descriptors are open"
}

hooked() { [ "$(find "/sys/fs/bpf/traffic-meter/$meter_instance" -name 'frames-*' | wc -l)" -eq "$1" ]; }

out_of() { csv_sum out 2 "$work"/*_"$1".log; }

five_thousand() {
	local user sent
	many 2500
	for user in 50001 50002 50003; do
		in_cgroup "$cgroup" $enter "$TRAFFIC" udp-send --uid $user --to 127.0.0.1 9 --count 100 --size 972 >/dev/null
	done
	# The one that is up has its hook first.
	send_frames a2500
	wait_until 60 hooked 5000
	# Thousands of messages in a row are more than a socket's buffer takes.
	pairs 2501 3000
	wait_until 60 hooked 6000
	send_frames a3000
	sent=$(sed -E 's/.*ip_bytes=([0-9]+).*/\1/' "$work/sent" | awk '{ n += $1 } END { print n }')
	"$METER" status --instance "$meter_instance" >/dev/null || fail "not healthy"
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	assert_equal "bytes of user 50001" $((100000 + sent)) "$(out_of 50001)"
	assert_equal "bytes of the others" "100000 100000" "$(out_of 50002) $(out_of 50003)"
	assert_equal "complaints" "" "$(grep -E 'warning|error|not here' "$work/log")"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
	! ls "/sys/fs/bpf/traffic-meter/$meter_instance" 2>/dev/null || fail "something is left in bpffs"
}

# Without bpffs a link takes a descriptor each, but never those that outputs need.
no_pins() {
	local lesser=build/lesser/bpffs/traffic-meter
	make -s "$lesser" >&2
	begin 400
	(
		ulimit -n 1024
		exec $enter "$lesser" run --config /dev/null --instance "$meter_instance" --cgroup "$cgroup" \
			--interval 1 --output "csv:$work" 2>"$work/log"
	) &
	meter_pid=$!
	process_note $meter_pid
	wait_until 30 grep -q 'records go to csv' "$work/log"
	assert_equal "descriptors of links" 512 "$(find "/proc/$meter_pid/fd" -lname '*bpf_link*' | wc -l | awk '{ print $1 - 2 }')"
	send_frames a400
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	assert_equal "bytes of user 50001" "$(sed -E 's/.*ip_bytes=([0-9]+).*/\1/' "$work/sent")" "$(out_of 50001)"
	assert_equal "complaints" "" "$(grep -E 'warning: attach|error' "$work/log")"
	assert_equal "filters that are left" "" "$($enter bpftool net show | grep meter_frames)"
}

run_test "no bpffs, and few descriptors" no_pins
run_test "5,000 interfaces, and 1,000 more" five_thousand
end_tests
