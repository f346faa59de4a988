#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input: one clear line, exit code 1 or 2, nothing left attached.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin
fixture_undo() {
	umount "$work/full" 2>/dev/null
	rm -f "/tmp/traffic_user_tm$$_"*
}
fixture badinput

# refuse CODE PATTERN COMMAND...: ends with the code, one line on stderr that matches, nothing left
# attached. A meter is pointed at a cgroup of the test's own, where nobody else attaches anything.
refuse() {
	local code=$1 pattern=$2 got=0
	shift 2
	if [ -n "$cgroup" ] && [ "$1" = "$METER" ] && [ "${2:-}" = run ]; then
		set -- "$@" --cgroup "$cgroup"
	fi
	timeout 30 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
	assert_equal "exit code of $*" "$code" "$got"
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "not one line: $(cat "$work/stderr")"
	assert_contains "message of $*" "$pattern" "$(cat "$work/stderr")"
	[ -z "$cgroup" ] || assert_equal "left by $*" "" "$(bpftool cgroup show "$cgroup")"
}

usage() {
	refuse 2 "no command given" "$METER"
	refuse 2 "'rum' is not a command" "$METER" rum
	refuse 2 "run --help" "$METER" run stray
	refuse 2 "did you mean.*cgroup|--cgroup" "$METER" run --cgruop /x
	refuse 2 "cgroup" "$METER" run --cgroup
	refuse 2 "interval.*0" "$METER" run --interval 0
	refuse 2 "interval.*-1" "$METER" run --interval -1
	refuse 2 "interval.*ten" "$METER" run --interval ten
	refuse 2 "ring-size" "$METER" run --ring-size 12Q
	refuse 2 "ring-size" "$METER" run --ring-size 8G
	refuse 2 "user-entries.*0" "$METER" run --user-entries 0
	refuse 2 "both" "$METER" run --untracked-match any
	refuse 2 "too many arguments" ./traffic_meter_user a b c
}

config() {
	printf 'interval = 10\nintervall = 20\n' >"$work/bad.conf"
	refuse 2 "bad.conf:2.*intervall.*interval" "$METER" run --config "$work/bad.conf"
	refuse 1 "No such file" "$METER" run --config "$work/none.conf"
	printf 'output = csv:%s\nnic-id = from-config\nduration = 1\n' "$work" >"$work/good.conf"
	"$METER" run --config "$work/good.conf" 2>"$work/log" || fail "$(cat "$work/log")"
	assert_contains "log" "csv:$work" "$(cat "$work/log")"
}

# All errors at once, and nothing is started.
check_config() {
	cat >"$work/all.conf" <<-END
		interval = ten
		intervall = 10
		output = cvs:/tmp
		output = csv:/tmp,haeder=yes
		cgroup = /tmp
		user = no-such-user-here
		instance = a/b
	END
	local got=0 wanted
	"$METER" check --config "$work/all.conf" >"$work/stdout" 2>"$work/stderr" || got=$?
	assert_equal "exit code" 1 "$got"
	for wanted in 'all.conf:1: interval:.*ten' "all.conf:2: unknown option 'intervall'" "no kind 'cvs'.*csv" \
		"haeder.*header" '/tmp.*not a cgroup v2' "no user 'no-such-user-here'" "instance 'a/b'"; do
		assert_contains "all that is wrong" "$wanted" "$(cat "$work/stderr")"
	done
	assert_equal "lines" 7 "$(wc -l <"$work/stderr")"
	printf 'output = csv:%s\nnic-id = here\n' "$work" >"$work/good.conf"
	assert_equal "a good one" "$work/good.conf: good" "$("$METER" check "--config=$work/good.conf" 2>&1)"
	refuse 1 "No such file" "$METER" check --config "$work/none.conf"
	refuse 2 "check: '--konfig'" "$METER" check --konfig
}

outputs() {
	need_bpf
	refuse 1 "cvs" "$METER" run --output cvs:/tmp
	refuse 1 "KIND:TARGET" "$METER" run --output nonsense
	refuse 1 "header" "$METER" run --output "csv:$work,haeder=yes"
	refuse 1 "$work/none.*mkdir" "$METER" run --output "csv:$work/none"
	touch "$work/file"
	refuse 1 "$work/file.*[Nn]ot a directory" "$METER" run --output "csv:$work/file"
	refuse 1 "no-such-group-here" "$METER" run --output "csv:$work,group=no-such-group-here"
	refuse 1 "$work/none/x.json" "$METER" run --output "json:$work/none/x.json"
	ln -s "$work/elsewhere" "$work/link.json"
	refuse 1 "link.json.*symbolic link" "$METER" run --output "json:$work/link.json"
	[ ! -e "$work/elsewhere" ] || fail "the link was followed"
}

# A directory that our uid can't write to: as root only a read-only mount is one.
readonly_directory() {
	need_bpf
	mkdir "$work/readonly"
	refuse 1 "$work/readonly.*[Rr]ead-only" unshare -m sh -c \
		'mount -t tmpfs -o ro none "$0" && exec "$1" run --output "csv:$0"' \
		"$work/readonly" "$METER"
}

privileges() {
	[ "$(id -u)" -eq 0 ] || skip "needs root to drop from"
	chmod 0777 "$work"
	refuse 1 "CAP_BPF.*CAP_NET_ADMIN.*CAP_PERFMON.*root" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$METER" run --output "csv:$work"
	refuse 1 "CAP_NET_ADMIN" setpriv --bounding-set -net_admin --inh-caps -net_admin \
		"$METER" run --output "csv:$work"
	chmod 0700 "$work"
}

# Enough of a root user: just the three capabilities.
three_capabilities() {
	need_bpf
	mkdir -p "$work/three"
	"$METER" check >/dev/null
	setpriv --bounding-set -all,+bpf,+net_admin,+perfmon --inh-caps -all \
		"$METER" run --output "csv:$work/three" --duration 1 2>"$work/stderr" ||
		fail "$(cat "$work/stderr")"
}

cgroups() {
	need_bpf
	local cgroup= # these name one themselves
	refuse 1 "$work/nowhere.*No such file" "$METER" run --cgroup "$work/nowhere"
	refuse 1 "/tmp.*not a cgroup v2" "$METER" run --cgroup /tmp
	refuse 1 "not a cgroup v2" "$METER" run --cgroup "$(cgroup_root)/cgroup.procs"
	refuse 1 "/tmp.*not a cgroup v2" ./traffic_meter_user /tmp
	refuse 1 "cgroup v2.*mount -t cgroup2" unshare -m sh -c \
		'umount -l "$0" && exec "$1" run --output csv:/tmp' "$(cgroup_root)" "$METER"
}

# A kernel without ring buffers, by a library that answers for it.
old_kernel() {
	need_bpf
	command -v cc >/dev/null || skip "no compiler"
	cat >"$work/old.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <errno.h>
		#include <linux/bpf.h>
		#include <stdarg.h>
		#include <sys/syscall.h>
		long syscall(long number, ...)
		{
			long (*next)(long, ...) = dlsym(RTLD_NEXT, "syscall");
			va_list list;
			long a, b, c, d, e, f;
			va_start(list, number);
			a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
			d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
			va_end(list);
			if (number == SYS_bpf && a == BPF_MAP_CREATE &&
			    ((union bpf_attr *)b)->map_type == BPF_MAP_TYPE_RINGBUF) {
				errno = EINVAL;
				return -1;
			}
			return next(number, a, b, c, d, e, f);
		}
	END
	cc -shared -fPIC -o "$work/old.so" "$work/old.c" -ldl
	refuse 1 "ring buffer.*too old.*5\.8" env LD_PRELOAD="$work/old.so" "$METER" run --output "csv:$work"
	LD_PRELOAD=$work/old.so "$METER" check >"$work/stdout" && fail "check says all is well"
	assert_contains "check" "MISSING +BPF ring buffer" "$(cat "$work/stdout")"
}

network_lists() {
	need_bpf
	printf '10.0.0.0/8\n10.300.0.0/16\n# fine\nfoo\n2001:db8::/129\n' >"$work/list"
	code=0
	timeout 30 "$METER" run --output "csv:$work" --untracked "$work/list" 2>"$work/stderr" || code=$?
	assert_equal "exit code" 1 $code
	assert_equal "lines" 3 "$(wc -l <"$work/stderr")"
	for line in 2 4 5; do
		assert_contains "error of line $line" "list:$line:" "$(cat "$work/stderr")"
	done
	refuse 1 "none.list.*No such file" "$METER" run --output "csv:$work" --untracked "$work/none.list"
	"$METER" networks "$work/list" >"$work/stdout" 2>"$work/stderr" && fail "networks ended with 0"
	./ipmask_tool "$work/list" >"$work/stdout" 2>"$work/stderr" && fail "ipmask_tool ended with 0"
	assert_equal "header in spite of errors" "" "$(cat "$work/stdout")"
}

nic_ids() {
	need_bpf
	for id in a/b .. ../x 'a..b' "$(printf 'a\nb')" "$(printf '%0128d' 0)"; do
		refuse 1 "nic-id" "$METER" run --output "csv:$work" --nic-id "$id"
		refuse 2 "nic-id" ./traffic_meter_user "" "$id"
	done
	refuse 1 "nic-id" "$METER" run --output "csv:$work" --nic-id ""
}

# In /tmp anybody can put something at a name that we are going to use.
hostile_paths() {
	need_bpf
	local uid=0 name=/tmp/traffic_user_tm${$}_0.log kind
	for kind in symlink fifo directory hardlink foreign; do
		rm -rf "$name" "$work/victim"
		echo precious >"$work/victim"
		case $kind in
		symlink) ln -s "$work/victim" "$name" ;;
		fifo) mkfifo "$name" ;;
		directory) mkdir "$name" ;;
		hardlink) ln "$work/victim" "$name" 2>/dev/null || { mv "$work/victim" "$name.2"; ln "$name.2" "$name"; mv "$name.2" "$work/victim"; } ;;
		foreign) touch "$name" && chown 65534 "$name" ;;
		esac
		meter_start "$work/log" ./traffic_meter_user "" "tm$$"
		"$TRAFFIC" udp-send --to 127.0.0.1 9 --count 10 --size 10 >/dev/null
		wait_until 10 grep -q "traffic_user_tm${$}_0.log" "$work/log"
		meter_stop && fail "$kind: what could not be written was not told by the exit code"
		assert_contains "$kind: lost bytes are said" "lost [1-9]" "$(cat "$work/log")"
		assert_contains "$kind: no byte is forgotten" "audit: 0 bytes unaccounted" "$(cat "$work/log")"
		[ "$kind" = foreign ] || [ "$kind" = hardlink ] || [ ! -s "$name" ] || [ "$kind" != fifo ] || fail "$kind was written to"
		[ ! -e "$work/victim" ] || assert_equal "$kind: the victim" precious "$(cat "$work/victim")"
		[ "$kind" != foreign ] || assert_equal "foreign file" 0 "$(stat -c %s "$name")"
	done
	rm -rf "$name"
}

# A refused path that is cleared away: what was merged in the meantime comes as one row.
hostile_path_cleared() {
	need_bpf
	local name=/tmp/traffic_user_tm${$}_0.log cgroup packets
	cgroup=$(cgroup_make hostile)
	ln -s /nowhere "$name"
	meter_start "$work/log" ./traffic_meter_user "$cgroup" "tm$$"
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 10 --size 10 >"$work/sent"
	wait_until 10 grep -q "symbolic link" "$work/log"
	rm "$name"
	wait_until 10 test -s "$name"
	meter_stop || fail "$(cat "$work/log")"
	cgroup_remove "$cgroup"
	assert_equal "bytes out" "$(sed 's/.*ip_bytes=//; s/ .*//' "$work/sent")" "$(csv_sum out 2 "$name")"
	assert_contains "closing line" "lost 0 bytes; audit: 0 bytes" "$(cat "$work/log")"
}

# Disk full: said once, counted, retried, metering goes on, nothing lost.
disk_full() {
	need_bpf
	local cgroup sent=0 result said
	mkdir "$work/full"
	mount -t tmpfs -o size=256k none "$work/full"
	cgroup=$(cgroup_make full)
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/full" --interval 1 --records packet
	for _ in 1 2 3 4 5; do
		result=$(in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 3000 --size 100)
		sent=$((sent + $(sed 's/.*ip_bytes=//; s/ .*//' <<<"$result")))
	done
	wait_until 20 grep -q 'No space left' "$work/log"
	mount -o remount,size=64m "$work/full"
	wait_until 40 grep -q 'works again' "$work/log"
	meter_stop || fail "$(cat "$work/log")"
	cgroup_remove "$cgroup"
	said=$(grep -c 'No space left' "$work/log")
	assert_equal "times it was said" 1 "$said"
	assert_equal "bytes out" "$sent" "$(csv_sum out 2 "$work"/full/*.log)"
	awk -F, 'NF != 21 { print "half a row: " $0; bad = 1 } END { exit bad }' "$work"/full/*.log
	umount "$work/full"
}

run_test "usage" usage
run_test "configuration file" config
run_test "outputs" outputs
run_test "read-only directory" readonly_directory
run_test "privileges" privileges
run_test "check --config tells all that is wrong" check_config
run_test "three capabilities are enough" three_capabilities
run_test "cgroups" cgroups
run_test "old kernel" old_kernel
run_test "lists of networks" network_lists
run_test "nic ids" nic_ids
run_test "hostile paths in /tmp" hostile_paths
run_test "a hostile path that is cleared away" hostile_path_cleared
run_test "disk full" disk_full
end_tests
