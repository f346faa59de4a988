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
