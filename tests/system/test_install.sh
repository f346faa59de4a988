#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` puts in place and `make uninstall` takes away again, and what the tools that read
# those files say of them.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exposure_limit=2.0

make_quiet() { make -s "$@" >"$work/make" 2>&1 || fail "make $*: $(cat "$work/make")"; }

files() { (cd "$work/$1" && find . ! -type d | sort); } # DIRECTORY

lists_files() {
	make_quiet install DESTDIR="$work/list" PREFIX=/usr
	local expected
	expected=$(
		cat <<-END
			./etc/logrotate.d/traffic-meter
			./etc/traffic-meter.conf
			./usr/bin/ipmask_tool
			./usr/include/traffic_meter/option.h
			./usr/include/traffic_meter/output.h
			./usr/include/traffic_meter/record.h
			./usr/lib/systemd/system/traffic-meter-export@.service
			./usr/lib/systemd/system/traffic-meter-serve.service
			./usr/lib/systemd/system/traffic-meter-serve.socket
			./usr/lib/systemd/system/traffic-meter.service
			./usr/lib/sysusers.d/traffic-meter.conf
			./usr/lib/tmpfiles.d/traffic-meter.conf
			./usr/libexec/traffic-meter/traffic-meter-export
			./usr/libexec/traffic-meter/traffic-meter-serve
			./usr/libexec/traffic-meter/traffic-meter-top
			./usr/sbin/traffic-meter
			./usr/share/bash-completion/completions/traffic-meter
			./usr/share/doc/traffic-meter/README.md
			./usr/share/fish/vendor_completions.d/traffic-meter.fish
			./usr/share/zsh/site-functions/_traffic-meter
		END
	)
	assert_equal "what is missing" "" "$(comm -13 <(files list) - <<<"$expected")"
	assert_equal "what is at no place of ours" "" "$(comm -23 <(files list) - <<<"$expected" |
		grep -vE '^\./usr/share/(doc/traffic-meter|man/man[1-8])/[^/]+$')"
	"$work/list/usr/sbin/traffic-meter" --version >/dev/null
	! grep -n /usr/local "$work"/list/usr/lib/systemd/system/*.service || fail "a unit has another prefix"
	make_quiet uninstall DESTDIR="$work/list" PREFIX=/usr
	assert_equal "what is left" "" "$(files list)"
	[ ! -d "$work/list/usr/share/doc/traffic-meter" ] || fail "its directory is left"
}

keeps_edited() {
	local conf=$work/edit/etc/traffic-meter.conf
	mkdir -p "${conf%/*}"
	echo '[traffic-meter]' >"$conf"
	make_quiet install DESTDIR="$work/edit"
	assert_equal "an edited configuration, installed over" '[traffic-meter]' "$(cat "$conf")"
	make_quiet uninstall DESTDIR="$work/edit"
	assert_equal "what is left" ./etc/traffic-meter.conf "$(files edit)"
	assert_contains "told" "edited, so it stays: $conf" "$(cat "$work/make")"
}

# Where the programs really are, so that the unit's paths are true.
install_here() {
	make_quiet install PREFIX="$work/here" SYSCONFDIR="$work/here/etc"
	units=$work/here/lib/systemd/system
	# An instance, as a template is no unit.
	cp "$units/traffic-meter-export@.service" "$units/traffic-meter-export@name.service"
}

unit_is_understood() {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	install_here
	systemd-analyze --recursive-errors=no verify "$units"/traffic-meter{,-export@name,-serve}.service >"$work/words" 2>&1 ||
		fail "verify: $(cat "$work/words")"
	assert_equal "what verify says" "" "$(cat "$work/words")"
}

unit_exposes_little() {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	install_here
	local name exposure
	for name in traffic-meter traffic-meter-export@name traffic-meter-serve; do
		exposure=$(systemd-analyze security --no-pager --offline=true "$units/$name.service" |
			sed -nE 's/.*exposure level for [^:]+: ([0-9.]+).*/\1/p')
		echo "# exposure of $name: $exposure"
		awk -v is="$exposure" -v limit="$exposure_limit" 'BEGIN { exit !(is != "" && is <= limit) }' ||
			fail "exposure $exposure of $name; $exposure_limit is the limit"
	done
}

# Names are looked up in the root given, so that the machine's users are left alone.
user_and_directories() {
	command -v systemd-sysusers >/dev/null || skip "no systemd-sysusers"
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	local root=$work/root
	mkdir -p "$root/etc"
	: >"$root/etc/passwd"
	: >"$root/etc/group"
	mkdir -p "$root/sys/fs/bpf"
	systemd-sysusers --root="$root" "$PWD/packaging/sysusers.conf"
	assert_contains "user" '^traffic-meter:' "$(cat "$root/etc/passwd")"
	assert_contains "group" '^traffic-meter:' "$(cat "$root/etc/group")"
	systemd-tmpfiles --root="$root" --create "$PWD/packaging/tmpfiles.conf"
	assert_contains "export's user" '^traffic-meter-export:' "$(cat "$root/etc/passwd")"
	assert_contains "export's groups" '^traffic-meter:.*traffic-meter-export' "$(cat "$root/etc/group")"
	assert_equal "modes" "700 755 750 750 750" \
		"$(stat -c %a "$root"/{sys/fs/bpf,run,var/lib,var/log,var/spool}/traffic-meter | tr '\n' ' ' | sed 's/ $//')"
	assert_equal "owner" "$(sed -n 's/^traffic-meter:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/passwd")" "$(stat -c %u "$root/var/log/traffic-meter")"
}

rotation_is_understood() {
	command -v logrotate >/dev/null || skip "no logrotate"
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	# The user that it names is not on this machine.
	sed 's/su traffic-meter traffic-meter/su root root/' packaging/logrotate.conf >"$work/logrotate.conf"
	chmod 0644 "$work/logrotate.conf"
	logrotate --debug --state "$work/state" "$work/logrotate.conf" >"$work/words" 2>&1 ||
		fail "$(cat "$work/words")"
	! grep '^error:' "$work/words" || fail "see above"
}

# The default file explains each option that is neither the unit's nor for a moment only, and all that
# it explains is understood.
conf_explains_all() {
	local keys options
	keys=$(sed -nE 's/^#([a-z-]+) = .*/\1/p' packaging/traffic-meter.conf | sort)
	options=$(./traffic-meter run --help | sed -nE 's/^  --([a-z-]+).*/\1/p' |
		grep -vxE 'help|config|duration' |
		grep -vxF "$(grep ^ExecStart= packaging/traffic-meter.service | grep -oE -- '--[a-z-]+' | cut -c 3-)" |
		sort)
	assert_equal "keys of packaging/traffic-meter.conf" "$options" "$keys"
	sed -E 's/^#([a-z-]+ = )/\1/' packaging/traffic-meter.conf >"$work/all.conf"
	# Both of two keys that exclude each other are there: what is refused when all was understood.
	./traffic-meter run --config "$work/all.conf" 2>"$work/words" && fail "it was taken"
	assert_equal "what is said" 1 "$(wc -l <"$work/words")"
	assert_contains "what is said" "--interface and --exclude-interface don't go together" "$(cat "$work/words")"
	echo '[traffic-meter]' >"$work/none.conf"
	./traffic-meter run --config "$work/none.conf" --nic-id / 2>"$work/none" || :
	./traffic-meter run --config packaging/traffic-meter.conf --nic-id / 2>"$work/words" || :
	assert_equal "what the file as it is changes" "$(cat "$work/none")" "$(cat "$work/words")"
}

run_test "install puts the files in place, uninstall takes them away" lists_files
run_test "an edited configuration stays" keeps_edited
run_test "systemd-analyze verify has nothing to say of the units" unit_is_understood
run_test "systemd-analyze security: at most $exposure_limit" unit_exposes_little
run_test "sysusers and tmpfiles make user and directories" user_and_directories
run_test "logrotate understands its configuration" rotation_is_understood
run_test "the configuration explains each option" conf_explains_all
end_tests
