# SPDX-License-Identifier: GPL-2.0-or-later
# Where the tests' Debian packages come from: the archive that this machine's apt already uses.

# The archive proper, not its security part or backports' label. Without lists from an earlier
# apt-get update the labels are not known: then by the name that every mirror has it under.
find_archive() {
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -F '|' '$1 == "Debian" { print $2; found = 1; exit }
			    !other && $2 ~ /\/debian\/?$/ { other = $2 }
			    END { if (!found && other) print other }'
}

# Whose keys its packages are signed with; empty where there is none.
find_keyring() { compgen -G '/usr/share/keyrings/debian-archive-keyring.*' | head -n 1; }

# archive_configure LINE...: apt's own place in $work, with these sources. Its configuration goes on top of the
# machine's, which knows proxies and passwords; neither the sources nor the lists nor the cache of the machine
# change.
archive_configure() {
	mkdir -p "$work"/{state/lists/partial,cache/archives/partial} || return
	: >"$work/status"
	printf '%s\n' "$@" >"$work/sources.list"
	cat >"$work/apt.conf" <<-CONFIGURATION
		Dir::State "$work/state";
		Dir::State::status "$work/status";
		Dir::Cache "$work/cache";
		Dir::Etc::sourcelist "$work/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "-";
		Dir::Etc::preferencesparts "-";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Acquire::Languages "none";
		// of a frozen mirror; what it holds is signed all the same
		Acquire::Check-Valid-Until "false";
		APT::Update::Error-Mode "any";
		APT::Install-Recommends "false";
		Acquire::Retries "1";
		Acquire::http::Timeout "20";
		Acquire::https::Timeout "20";
		// the checkout may be where the user _apt can't read
		APT::Sandbox::User "$(id -un)";
	CONFIGURATION
}

private_apt() { # apt-get|apt-cache ARGUMENTS...
	local command=$1
	shift
	timeout 150 "$command" -c "$work/apt.conf" -q "$@" 2>>"$work/log"
}
