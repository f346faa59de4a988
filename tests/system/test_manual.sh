#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages and shell completion, which are made from the option tables.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

commands() { ./traffic-meter --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'; }

# A page that another one refers to is looked for among the installed ones, where ours are not.
pages_are_clean() {
	local page findings
	for page in build/man/*; do
		findings=$(mandoc -Tlint "$page" | grep -v 'referenced manual not found' || :)
		[ -z "$findings" ] || fail "$findings"
	done
}

commands_have_pages() {
	local command option page
	for command in $(commands); do
		[ -f "build/man/traffic-meter-$command.1" ] || fail "$command has no page"
		page=$(mandoc -Tascii "build/man/traffic-meter-$command.1" | col -b)
		for option in $(./traffic-meter "$command" --help 2>/dev/null | grep -oE '^  --[a-z-]+'); do
			grep -qw -- "$option" <<<"$page" || fail "the page of $command lacks $option"
		done
	done
}

bash_words() { # WORD...: what bash offers for the last one
	bash --norc -c '. build/completion/bash; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _traffic_meter
		echo "${COMPREPLY[*]}"' bash traffic-meter "$@"
}

bash_completes() {
	bash -n build/completion/bash
	assert_equal "a command" status "$(bash_words stat)"
	assert_contains "options of run" '--untracked-match' "$(bash_words run --unt)"
	assert_equal "choices" "process login socket" "$(bash_words run --owner '')"
	touch "$work/list"
	assert_equal "files" "$work/list" "$(bash_words run --untracked "$work/l")"
}

fish_completes() {
	command -v fish >/dev/null || skip "no fish"
	export HOME=$work
	fish -n build/completion/fish
	assert_contains "a command" '^status' \
		"$(fish -c 'source build/completion/fish; complete -C"traffic-meter stat"')"
	assert_equal "choices" "login process socket" \
		"$(fish -c 'source build/completion/fish; complete -C"traffic-meter run --owner "' | cut -f 1 | sort | xargs)"
}

# A real zsh at a terminal of its own.
zsh_completes() {
	command -v zsh >/dev/null || skip "no zsh"
	mkdir -p "$work/zsh"
	cp build/completion/zsh "$work/zsh/_traffic-meter"
	HOME=$work timeout 60 zsh -f >"$work/zsh.out" <<-END
		zmodload zsh/zpty
		zpty shell 'TERM=dumb zsh -f -i'
		zpty -w shell "PROMPT=; fpath=($work/zsh \\\$fpath); autoload -U compinit; compinit -u -D; echo ready-\\\$((1 + 1))"
		zpty -r shell out '*ready-2*'
		zpty -w -n shell \$'traffic-meter stat\\t'
		zpty -r shell out '*traffic-meter status *' && echo command completed
		zpty -w -n shell \$'\\x15traffic-meter run --untracked-m\\t'
		zpty -r shell out '*--untracked-match=*' && echo option completed
		zpty -w -n shell \$'ei\\t'
		zpty -r shell out '*either*' && echo choice completed
		zpty -d shell
	END
	assert_equal "what zsh completed" "command option choice" "$(sed -n 's/ completed//p' "$work/zsh.out" | xargs)"
}

make -s manual >/dev/null || exit 1
run_test "manual pages are clean for mandoc" pages_are_clean
run_test "each command has a page with all its options" commands_have_pages
run_test "bash completes" bash_completes
run_test "zsh completes" zsh_completes
run_test "fish completes" fish_completes
end_tests
