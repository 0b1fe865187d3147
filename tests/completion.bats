#!/usr/bin/env bats
# Completion in the real shells: commands, the options that --help has, and what is on the bus.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

FILES=$BATS_TEST_DIRNAME/../cli/completions

# Each shell's answer, one a line, sorted, to a command line whose last word is to be completed.
in_bash() {
	timeout -s KILL 20 bash --norc -c '
		source /usr/share/bash-completion/bash_completion
		source "$0/aioevt.bash"
		[[ $(complete -p aioevt) == *" -F _aioevt aioevt" ]] || exit 1
		COMP_LINE=$1 COMP_POINT=${#1}
		# as readline parts them
		[[ $1 != *" " ]] || end=1
		set -- $(sed "s/\([=:]\)/ \1 /g" <<<"$1")
		COMP_WORDS=("$@" ${end+""}) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_aioevt aioevt
		printf "%s\n" "${COMPREPLY[@]}"' "$FILES" "$1" 2>"$ERR" 3>&- | sort
}

in_fish() {
	HOME=$BATS_TEST_TMPDIR timeout -s KILL 20 fish --private --no-config -c '
		source $argv[1]/aioevt.fish
		complete -C $argv[2]' "$FILES" "$1" 2>"$ERR" 3>&- | sed 's/\t.*//' | sort
}

# On a terminal of zsh's own: what "compadd" is given that fits, once a key is pressed.
in_zsh() {
	local dir=$BATS_TEST_TMPDIR/zsh

	rm -rf "$dir"
	mkdir "$dir"
	cat >"$dir/.zshrc" <<-'END'
		PS1= PS2=
		fpath=($FILES $fpath)
		autoload -U compinit
		compinit -u -C -d $DUMP
		compadd() {
			local -a taken
			[[ -n ${(M)@:#-[AOD]*} ]] || builtin compadd -O taken "$@"
			print -rl -- $taken >>$ZDOTDIR/taken
			builtin compadd "$@"
		}
		take() {
			_main_complete
			print >>$ZDOTDIR/done
		}
		zle -C take list-choices take
		bindkey '^T' take
		print >$ZDOTDIR/ready
	END
	ZDOTDIR=$dir FILES=$FILES DUMP=${BATS_FILE_TMPDIR-/tmp}/zcompdump timeout -s KILL 60 zsh -f -c '
		zmodload zsh/zpty
		zpty z zsh -d -i
		until [[ -e $ZDOTDIR/ready ]]; do zpty -r -t z text || sleep 0.01; done
		zpty -w -n z "$1"$'"'\\x14'"'
		until [[ -e $ZDOTDIR/done ]]; do zpty -r -t z text || sleep 0.01; done
		zpty -d z' zsh "$1" </dev/null >"$ERR" 2>&1 3>&-
	[ ! -e "$dir/taken" ] || sort -u "$dir/taken"
}

# completes LINE WORD...: in all shells to these words, in any order
completes() {
	local shell want

	want=$(printf '%s\n' "${@:2}" | sort)
	for shell in bash fish zsh; do
		printf '%s: %s\n' "$shell" "$1"
		expect "$shell: $1" "$("in_$shell" "$1" | sed '/^$/d')" "$want"
	done
}

setup_file() {
	local shell

	[[ ${AIOEVT-} != */address* ]] || skip "the shells' files are the same for every build"
	for shell in fish zsh; do
		command -v "$shell" >/dev/null || skip "no $shell"
	done
	PATH=$(dirname "$(realpath "${AIOEVT:-$BATS_TEST_DIRNAME/../.build/release/aioevt}")"):$PATH
	export PATH
}

@test "commands" {
	# shellcheck disable=SC2046
	completes "aioevt wa" $(commands | grep '^wa')
	# shellcheck disable=SC2046
	completes "aioevt --bus x help " $(commands)
	completes "aioevt nonsens"
}

# options_of COMMAND: what its --help and its page have, which are to be the same
options_of() {
	local page=$BATS_TEST_DIRNAME/../man/aioevt-$1.1

	"$AIOEVT" "$1" --help 3>&- | sed -n 's/^ \{2,6\}\(-[^ ].*\)/\1/p' | sed 's/  .*//; s/,//g' |
		tr ' ' '\n' | sed -n 's/^\(-[^=[]*\).*/\1/p' | sort -u >"$OUT.help"
	sed -n 's/^\.It Fl \(.*\)/\1/p' "$page" | sed 's/\\&//g; s/Ns = Ns//g; s/Ar [a-z]*//g; s/Fl//g' |
		tr -s ' ,' '\n' | sed -n 's/^[^ ]/-&/p' | sort -u >"$OUT.page"
	expect "$1: the page's options" "$(cat "$OUT.page")" "$(cat "$OUT.help")"
}

@test "options of every command: in --help, on the page and completed" {
	local command

	for command in $(commands); do
		options_of "$command"
		expect "bash: $command" "$(in_bash "aioevt $command -")" "$(cat "$OUT.help")"
		expect "fish: $command" "$(in_fish "aioevt $command -")" "$(cat "$OUT.help")"
	done
	for command in wait emit; do
		options_of "$command"
		expect "zsh: $command" "$(in_zsh "aioevt $command -" | sed '/^$/d')" "$(cat "$OUT.help")"
	done
}

@test "what options take" {
	completes "aioevt wait --format " plain json shell
	run_aioevt emit -b "$AIOEVT_BUS" e
	completes "aioevt wait e -b ${AIOEVT_BUS%?}" "$AIOEVT_BUS"
	expect "bash" "$(in_bash "aioevt wait --format=j")" json
	expect "fish" "$(in_fish "aioevt wait --format=j")" --format=json
	expect "zsh" "$(in_zsh "aioevt wait --format=j" | sed '/^$/d')" json
	completes "aioevt wait --timeout "
	completes "aioevt wait -g roo" root
	completes "aioevt on e --stop-signal U" USR1 USR2
	# --kill takes no next word
	completes "aioevt wait job --kill e" e
}

@test "events of the bus, whatever their names hold; nothing of them is run" {
	local nasty='job.$(touch${IFS}'$BATS_TEST_TMPDIR'/ran)'

	run_aioevt emit job.7.done
	run_aioevt emit job.8
	run_aioevt emit other
	completes "aioevt wait job." job.7.done job.8
	completes "aioevt emit job.7" job.7.done
	expect bash "$(in_bash "aioevt emit job.7.done job.")" ""
	completes "aioevt wait other -t 3 job.8" job.8
	expect bash "$(in_bash "aioevt gc job.")" ""
	run_aioevt emit "$nasty"
	run_aioevt emit 'job.`touch${IFS}'"$BATS_TEST_TMPDIR"'/ran2`'
	in_bash 'aioevt wait job.' >"$OUT.all"
	in_fish 'aioevt wait job.' >>"$OUT.all"
	in_zsh 'aioevt wait job.' >>"$OUT.all"
	expect "names" "$(grep -c touch "$OUT.all")" 6
	expect "ran" "$(find "$BATS_TEST_TMPDIR" -name 'ran*')" ""
	# what bash gives is a word for the shell, and that name
	printf '%s\n' "$nasty" >"$OUT.want"
	eval "printf '%s\\n' $(in_bash 'aioevt wait job.' | grep 'job.*touch.*ran\\)')" >"$OUT"
	diff "$OUT.want" "$OUT"
}

@test "events of the bus that the line names" {
	AIOEVT_DIR=$BATS_TEST_TMPDIR run_aioevt --bus second emit elsewhere
	export AIOEVT_DIR=$BATS_TEST_TMPDIR
	completes "aioevt wait else"
	completes "aioevt -b second wait else" elsewhere
	completes "aioevt wait --bus second else" elsewhere
	completes "aioevt --bus=second rm else" elsewhere
	rm -f "$BATS_TEST_TMPDIR"/aioevt.*
	AIOEVT_DIR=$(mktemp -d /dev/shm/aioevt-test.XXXXXX)
}

@test "a COMMAND behind -- is completed as such" {
	local i

	for i in bash fish zsh; do
		expect_match "$i" "$("in_$i" "aioevt wait e -- mktem")" '*mktemp*'
		"in_$i" "aioevt wait e -- aioevt li" | grep -qx "list"
	done
	mkdir "$BATS_TEST_TMPDIR/dir"
	: >"$BATS_TEST_TMPDIR/dir/file-for-it"
	for i in bash fish zsh; do
		expect_match "$i" "$("in_$i" "aioevt wait e -- cat $BATS_TEST_TMPDIR/dir/file-f")" \
			'*file-for-it*'
	done
}
