# SPDX-License-Identifier: GPL-2.0-or-later
# memory: what the meter's process holds in memory beside the ring.

# KiB resident in all mappings of a process but those of large BPF maps: the ring, which is mapped
# twice in a row.
resident_kib() { # PID
	awk '
		/^[0-9a-f]+-[0-9a-f]+ / { is_map = /anon_inode:bpf-map/ }
		$1 == "Size:" { size = $2 }
		$1 == "Rss:" && !(is_map && size > 64) { sum += $2 }
		END { print sum + 0 }' "/proc/$1/smaps"
}

# Of memory that the kernel holds for its maps, the ring left out.
maps_kib() { # PID
	local fdinfo
	for fdinfo in "/proc/$1/fdinfo/"*; do cat "$fdinfo" 2>/dev/null; done | awk '
		$1 == "map_type:" { type = $2 }
		$1 == "memlock:" { memlock = $2 }
		$1 == "map_id:" && type != 27 && !seen[$2]++ { sum += memlock }
		END { printf "%d\n", sum / 1024 }'
}

# Raises `largest` to what is resident now.
look() {
	local now
	now=$(resident_kib "$pid")
	[ "$now" -gt "$largest" ] && largest=$now
	return 0
}

memory_packets() {
	local log=$directory/log files=$directory/files largest=0 sender
	networks_list 100000 >"$directory/list"
	# One process is all the users: each by the socket that it made for them.
	start_meter "$log" "$files" --owner socket --untracked "$directory/list"
	look
	result "memory: beside the ring, with 100,000 networks" "$((largest)) KiB after the start"
	send --milliseconds 5000 --users 100 --first-uid 200000 &
	sender=$!
	while kill -0 $sender 2>/dev/null; do
		look
		sleep 0.1
	done
	wait $sender || die "the sender failed"
	[ "$(ls "$files" | wc -l)" -eq 100 ] || die "there are not 100 users' files"
	reload "$log"
	look
	result "memory: beside the ring, largest seen" \
		"$(calculate %.1f "$largest / 1024") MiB (flood of 100 users, 100,000 networks, SIGHUP)" \
		"<= 16 MiB" "$largest" "<=" 16384
	result "memory: the kernel's, for maps but the ring" "$(calculate %.1f "$(maps_kib "$pid") / 1024") MiB"
	stop "$log"
	rm -rf "$files"
}

# The process while 100,000 flows come, each interval again, and are drained.
memory_flows() {
	local log=$directory/log files=$directory/files largest=0 sender
	start_flow "$log" "$files" --interval 1 --log-level info
	send --flows 50000 --rate 100000 --milliseconds 5000 --to 0.0.0.0 --from 127.0.0.1 &
	sender=$!
	while kill -0 $sender 2>/dev/null; do
		look
		sleep 0.05
	done
	wait $sender || die "the sender failed"
	look
	result "memory: with 100,000 flows a second, largest seen" \
		"$(calculate %.1f "$largest / 1024") MiB; the kernel's for tables $(calculate %.1f "$(maps_kib "$pid") / 1024") MiB" \
		"<= 32 MiB" "$largest" "<=" 32768
	stop "$log"
	[ "$(count_rows "$files")" -ge 100000 ] || die "$(count_rows "$files") rows are no 100,000 flows"
	rm -rf "$files"
}

bench_memory() {
	stats 0
	memory_packets
	memory_flows
}
