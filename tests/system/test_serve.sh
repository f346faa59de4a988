#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The HTTP server: who sees what, counters over restarts, the page, and requests that are none.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/datagrams.sh
. tests/lib/fixture.sh

net=tm-serve-$$
fixture serve "$net"
database=$work/history.db
socket=$work/serve.sock
token=0123456789abcdef-of-a-test
port=$((20000 + $$ % 20000))
chmod 755 "$work"

serve_start() { # OPTION...
	"$METER" serve --config /dev/null --instance "$meter_instance" --history "$database" --socket "$socket" "$@" \
		2>"$work/serve.log" &
	serve_pid=$!
	process_note $serve_pid
	wait_until 20 grep -q 'serving the instance' "$work/serve.log" || fail "$(cat "$work/serve.log")"
}

serve_stop() {
	kill -TERM $serve_pid
	wait $serve_pid
}

# get PATH [CURL OPTION...]: as root. get_as UID likewise: as somebody else.
get() { curl -sS --max-time 20 --unix-socket "$socket" "${@:2}" "http://localhost$1"; }
get_as() { setpriv --reuid "$1" --regid "$1" --clear-groups curl -sS --max-time 20 --unix-socket "$socket" "${@:3}" "http://localhost$2"; }
code_as() { get_as "$1" "$2" -o /dev/null -w '%{http_code}' "${@:3}"; }

traffic_of() { # UID PORT COUNT
	in_cgroup "$cgroup" nsenter --net="/run/netns/$net" "$TRAFFIC" udp-send --uid "$1" --to 127.0.0.1 "$2" \
		--count "$3" --size 1000 --rate 5000 --timeout 60 >"$work/sent"
	echo $(($(cat "$work/bytes-$1" 2>/dev/null || echo 0) + $(ip_bytes "$work/sent"))) >"$work/bytes-$1"
}

metric() { # NAME UID
	get /metrics | sed -n "s/^traffic_meter_user_$1{uid=\"$2\",.*} //p"
}

meter() {
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --state-dir "$work" \
		--output "history:$database,mode=0644"
}

metric_is() { [ "$(metric "$1" "$2")" = "$3" ]; }

begin() {
	need_bpf
	[ -x traffic-meter-serve ] || skip "built without libmicrohttpd"
	command -v curl >/dev/null || skip "no curl"
	processes_end
	trap processes_end EXIT
}

missing_things() {
	begin
	serve_start
	assert_contains "page without a history" 'there is no history' "$(get /)"
	assert_contains "page without a meter" 'Now' "$(get /)"
	assert_equal "usage" 503 "$(code_as 0 /api/v1/usage)"
	assert_contains "live" 'no meter of the instance' "$(get /api/v1/live)"
	assert_contains "metrics" '^traffic_meter_up 0$' "$(get /metrics)"
	serve_stop || fail "exit code $?"
	[ ! -e "$socket" ] || fail "the socket is left"
}

# What two users have sent, by a program that counts it itself, over restarts of everything.
counters() {
	begin
	ip netns add "$net"
	ip -n "$net" link set lo up
	meter
	serve_start
	traffic_of 4901 7301 3000
	traffic_of 4902 7302 500
	wait_until 20 metric_is transmit_bytes_total 4901 "$(cat "$work/bytes-4901")" ||
		fail "$(get /metrics) is not $(cat "$work/bytes-4901")"
	wait_until 20 metric_is transmit_bytes_total 4902 "$(cat "$work/bytes-4902")" || fail "$(get /metrics)"
	assert_equal "packets" 500 "$(metric transmit_packets_total 4902)"
	assert_contains "its own numbers too" '^traffic_meter_build_info' "$(get /metrics)"
	meter_kill
	serve_stop || fail "exit code $?"
	serve_start
	assert_equal "no meter" "$(cat "$work/bytes-4901")" "$(metric transmit_bytes_total 4901)"
	meter
	traffic_of 4901 7301 200
	wait_until 20 metric_is transmit_bytes_total 4901 "$(cat "$work/bytes-4901")" ||
		fail "$(get /metrics) is not $(cat "$work/bytes-4901")"
	assert_equal "by network, all that there is" $(($(cat "$work/bytes-4901") + $(cat "$work/bytes-4902"))) \
		"$(get /metrics | sed -n 's/^traffic_meter_network_transmit_bytes_total{.*} //p')"
	get /metrics -H 'Accept: application/openmetrics-text' >"$work/open"
	assert_equal "its end" "# EOF" "$(tail -n 1 "$work/open")"
	assert_contains "a counter's name" '^# TYPE traffic_meter_user_receive_bytes counter$' "$(cat "$work/open")"
	assert_equal "gzip" "$(get /metrics | sort | grep -v uptime)" "$(get /metrics --compressed | sort | grep -v uptime)"
	get /metrics | awk '/^# TYPE/ { type[$3] = 1 } /^[^#]/ { sub(/[{ ].*/, ""); if (!type[$0]) print }' >"$work/untyped"
	assert_equal "metrics with no type" "" "$(cat "$work/untyped")"
	serve_stop
	serve_start --metrics-users 1 --user nobody
	assert_equal "those beyond the cap" "$(cat "$work/bytes-4902")" \
		"$(get /metrics | sed -n 's/^traffic_meter_user_transmit_bytes_total{uid="",username="other"} //p')"
	serve_stop
	meter_stop || fail "$(cat "$work/log")"
}

# Each path with each parameter, for another user and for oneself.
own_only() {
	begin
	meter
	serve_start
	traffic_of 4901 7301 100
	traffic_of 4902 7302 100
	wait_until 20 metric_is transmit_bytes_total 4902 "$(cat "$work/bytes-4902")" || fail "$(get /metrics)"
	local path paths uid other parameter
	paths=$(sed -n 's/^	{ "\(\/[^"]*\)", "[^"]*", \(true\|false\),.*/\1/p' src/serve/http.c)
	assert_equal "paths" "$(grep -c '^	{ "/' src/serve/http.c)" "$(wc -l <<<"$paths")"
	for uid in 4901 4902; do
		other=$((4901 + 4902 - uid))
		for path in $paths; do
			get_as $uid "$path" >"$work/seen"
			case $path in
			/api/v1/status) assert_equal "$path" 403 "$(code_as $uid "$path")" ;;
			*) assert_equal "$path" 200 "$(code_as $uid "$path")" ;;
			esac
			for parameter in user=$other "user=$other&by=hour" "by=user&user=$other" "user=%34${other:1}" user=root user=; do
				assert_equal "$path?$parameter" 403 "$(code_as $uid "$path?$parameter")"
				get_as $uid "$path?$parameter" >>"$work/seen"
			done
			for parameter in by=user by=service by=remote by=login by=user,hour top=5000 "user=$uid" login=$other what=users \
				what=flows what=groups "what=flows&user=$uid" what=interfaces range=year "user=$uid&user=$other" \
				"since=2001-01-01&by=service" format=csv "what=users&top=5000"; do
				get_as $uid "$path?$parameter" >>"$work/seen"
			done
					! grep -nE "\b$other\b|$((other - 4901 + 7301))" "$work/seen" || fail "$uid sees $other at $path"
		done
		assert_equal "own usage" "$(cat "$work/bytes-$uid")" \
			"$(get_as $uid '/api/v1/usage?since=today' | json_value 'status["sent"]')"
		assert_contains "own metrics" "uid=\"$uid\"" "$(get_as $uid /metrics)"
		assert_contains "own page" "<td><a href=\"/[?]range=day&amp;user=$uid\">$uid</a>" "$(get_as $uid /)"
	done
	assert_equal "root sees both" "4901 4902" \
		"$(get '/api/v1/usage?since=today' | json_value '" ".join(sorted(row["user"] for row in status["rows"]))')"
	assert_equal "by service" "udp/7301" "$(get_as 4901 '/api/v1/usage?since=today&by=service' |
		json_value '[row["service"] for row in status["rows"] if row["sent"]][0]')"
	serve_stop
	meter_stop || fail "$(cat "$work/log")"
}


refuses() {
	begin
	echo "$token" >"$work/token"
	chmod 600 "$work/token"
	serve_start --listen "127.0.0.1:$port" --token-file "$work/token"
	local at=http://127.0.0.1:$port/metrics
	assert_equal "no token" 401 "$(curl -s -o /dev/null -w '%{http_code}' "$at")"
	assert_equal "a wrong token" 401 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer ${token}x" "$at")"
	assert_equal "the token" 200 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$at")"
	assert_equal "as a password" 200 "$(curl -s -o /dev/null -w '%{http_code}' -u "any:$token" "$at")"
	assert_equal "DNS rebinding" 421 "$(code_as 0 / -H 'Host: evil.example')"
	assert_equal "POST" 405 "$(code_as 0 / -X POST)"
	assert_equal "a body" 413 "$(code_as 0 / -X GET -d body)"
	assert_equal "nothing there" 404 "$(code_as 0 /nothing)"
	assert_equal "no route of a part" 404 "$(code_as 0 /api)"
	assert_equal ".." 400 "$(code_as 0 /../etc/passwd --path-as-is)"
	assert_equal "a zero byte" 400 "$(code_as 0 '/api/v1/usage?user=a%00b')"
	assert_equal "no UTF-8" 400 "$(code_as 0 '/api/v1/usage?user=%ff')"
	assert_equal "a wrong key" 400 "$(code_as 0 '/api/v1/usage?by=colour')"
	assert_equal "a wrong parameter" 400 "$(code_as 0 '/api/v1/usage?usr=0')"
	assert_contains "script is quoted" '&lt;script&gt;' "$(get '/?user=%3Cscript%3E')"
	get / -D "$work/headers" -o /dev/null
	assert_contains "policy" "default-src 'none'; script-src 'nonce-" "$(cat "$work/headers")"
	assert_contains "nosniff" '^X-Content-Type-Options: nosniff' "$(cat "$work/headers")"
	python3 - "$socket" <<-'END' || fail "a request that is none"
		import socket, sys
		def talk(data):
		    with socket.socket(socket.AF_UNIX) as client:
		        client.settimeout(20)
		        client.connect(sys.argv[1])
		        try:
		            client.sendall(data)
		            return client.recv(65536)
		        except ConnectionError:
		            return b""
		bad = {
		    "HTTP/0.9": b"GET /metrics\r\n\r\n",
		    "two lengths": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
		    "length and chunks": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
		    "no host": b"GET / HTTP/1.1\r\n\r\n",
		    "a huge header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
		    "a huge target": b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
		    "noise": bytes(range(256)) * 8,
		}
		for name, data in bad.items():
		    answer = talk(data)
		    assert b" 200 " not in answer[:20], (name, answer[:200])
		# Beyond its share a user's connections are closed, and others are served.
		held = []
		for i in range(300):
		    client = socket.socket(socket.AF_UNIX)
		    client.connect(sys.argv[1])
		    held.append(client)
		    try:
		        client.send(b"GET / HT")
		    except ConnectionError:
		        pass
	END
	assert_equal "another user while root holds connections" 503 "$(code_as 4901 /api/v1/live)"
	serve_stop || fail "exit code $?: $(cat "$work/serve.log")"
	assert_equal "lines of the log" "" "$(grep -vE 'serving|running as root' "$work/serve.log")"
}

as_a_service() {
	begin
	command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
	setpriv --reuid 4903 --regid 4903 --clear-groups true || skip "no setpriv"
	systemd-socket-activate -l "$socket" "$METER" serve --config /dev/null --instance "$meter_instance" --history "$database" \
		2>"$work/serve.log" &
	serve_pid=$!
	process_note $serve_pid
	wait_until 20 test -S "$socket"
	assert_equal "the socket that was given" 200 "$(get / -o /dev/null -w '%{http_code}')"
	assert_contains "filtered" 'Seccomp:	2' "$(cat /proc/$serve_pid/status)"
	serve_stop || fail "exit code $?"
	[ -S "$socket" ] || fail "the service manager's socket is removed"
	ln -s "$work/else" "$work/link"
	"$METER" serve --config /dev/null --history "$database" --socket "$work/link" 2>"$work/serve.log" && fail "a link is replaced"
	assert_contains "words" 'is no socket, so it is not replaced' "$(cat "$work/serve.log")"
}

run_test "without a meter and a history it says so" missing_things
run_test "counters are exact over restarts of meter and server" counters
run_test "each user sees their own traffic only" own_only
run_test "what is refused: tokens, hosts, requests that are none" refuses
run_test "socket activation, filters, a link in the socket's place" as_a_service
end_tests
