# SPDX-License-Identifier: GPL-2.0-or-later
# Datagrams to receivers of the test's own, by $TRAFFIC: sourced after meter.sh. $work is the test's
# directory.

ip_bytes() { grep -o 'ip_bytes=[0-9]*' "$1" | cut -d = -f 2; }

# serve FILE COMMAND...: starts a receiver and waits until it is ready. Sets served_pid. Emptied
# here, not by the shell that starts it: the last one's word must not be taken for this one's.
serve() {
	local file=$1
	shift
	: >"$file"
	"$@" >>"$file" &
	served_pid=$!
	wait_until 20 grep -q ready "$file"
}

# A socket of that user that takes datagrams for ever and reads none, so that it costs no time.
# Sets sink_pid.
sink_start() { # UID ADDRESS PORT
	serve "$work/sink" "$TRAFFIC" udp-receive --uid "$1" --bind "$2" "$3" --count 100000000 \
		--timeout 300
	sink_pid=$served_pid
	kill -STOP $sink_pid
}

sink_stop() {
	kill -KILL $sink_pid
	wait $sink_pid 2>/dev/null || :
}

# What the loopback could not hand on, of all CPUs: such a packet never gets to the ingress hook.
backlog_drops() {
	local sum=0 drops
	while read -r _ drops _; do
		sum=$((sum + 16#$drops))
	done </proc/net/softnet_stat
	echo $sum
}
