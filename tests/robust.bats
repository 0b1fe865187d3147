#!/usr/bin/env bats
# What scripts do to it: closed streams, signals, pipelines and set -e, odd payloads through every
# format and back, options in any order.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# nothing_taken: nobody is there, and who comes next finds no listener
nothing_taken() {
	run_aioevt doctor --json
	expect "participants" "$(jq .alive <"$OUT")" 0
	run_aioevt 124 wait other --timeout 0
	run_aioevt list --json
	expect "listeners" "$(jq -s 'map(.listeners) | add' <"$OUT")" 0
}

# closed STATUSES ARGS: with stdin, stdout, stderr and all of them closed
closed() {
	local i got all=''

	for i in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		got=0
		timeout -s KILL 20 bash -c "exec 3>&- $i; exec \"\$@\"" - "$AIOEVT" "${@:2}" \
			</dev/null >"$OUT" 2>"$ERR" || got=$?
		all+="${all:+ }$got"
	done
	expect "${*:2}: statuses" "$all" "$1"
}

@test "closed streams: no message and no record gets into the bus" {
	run_aioevt emit e first
	closed "0 0 0 0" emit e more
	closed "0 1 0 1" emit --print-seq e more
	closed "1 0 0 1" emit --stdin e
	closed "0 1 0 1" wait e --after 0 --timeout 0
	closed "124 124 124 124" wait e --timeout 0
	closed "64 64 64 64" wait e --format '{'
	closed "0 1 0 1" list
	closed "0 1 0 1" doctor
	closed "0 1 0 1" doctor --json
	closed "0 0 0 0" gc --older-than 1h
	closed "1 1 1 1" rm nonsuch
	closed "0 1 0 1" --help
	closed "0 1 0 1" help wait
	run_aioevt doctor
	run_aioevt wait e --after 0 --timeout 0
	expect "the first record" "$output" first
}

@test "closed streams: a message while the bus is open does not hit it" {
	local head

	run_aioevt emit e
	run_aioevt emit f
	head=$(head -c 4096 "$BUS_FILE" | md5sum)
	# rm tells of what is not there, and goes on
	bash -c 'exec 2>&-; "$0" rm nonsuch other; "$0" list >&-' "$AIOEVT" 3>&- || true
	expect "the head of the bus" "$(head -c 4096 "$BUS_FILE" | md5sum)" "$head"
	run_aioevt doctor
	run_aioevt list
}

@test "signals end a wait with 128+n, and leave nothing behind" {
	local sig

	for sig in INT:130 TERM:143 HUP:129 KILL:137; do
		# a shell without job control lets what it starts in the background ignore SIGINT
		env --default-signal "$AIOEVT" wait e 'job.*' --timeout 20 >"$OUT.bg" 2>"$ERR.bg" \
			</dev/null 3>&- &
		BACKGROUND=$!
		until_listening e
		kill -s "${sig%:*}" "$BACKGROUND"
		end_aioevt "${sig#*:}"
		expect "$sig: output" "$output$errors" ""
		nothing_taken
	done
}

# process_1: the pid, seen from here, of what runs in the namespace of $BACKGROUND
process_1() {
	local children

	read -r children <"/proc/$BACKGROUND/task/$BACKGROUND/children"
	echo "${children% }"
}

# It has a handler for SIGTERM: before, the signal would be ignored.
has_process_1() {
	local caught

	caught=$(sed -n 's/^SigCgt:[^0-9a-f]*/0x/p' "/proc/$(process_1)/status") &&
		((caught & 1 << 14))
}

# as_process_1 SIGNAL:STATUS READY ARGS: that ends it when it runs as process 1, once READY is done
as_process_1() {
	local sig=$1 ready=$2

	shift 2
	env --default-signal unshare -pf --kill-child "$AIOEVT" "$@" >"$OUT.bg" 2>"$ERR.bg" \
		<"$BATS_TEST_TMPDIR/pipe" 3>&- &
	BACKGROUND=$!
	until_true has_process_1
	$ready
	kill -s "${sig%:*}" "$(process_1)"
	end_aioevt "${sig#*:}"
	expect "$*: stderr" "$errors" ""
}

@test "process 1 of a container ends by signals" {
	local sig

	unshare -pf --kill-child true 2>/dev/null || skip "no PID namespace to be had"
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec 7<>"$BATS_TEST_TMPDIR/pipe"
	run_aioevt create e
	for sig in TERM:143 INT:130; do
		as_process_1 "$sig" "until_listening e" wait e --timeout 20
		as_process_1 "$sig" "until_listening e" wait e --follow -- sleep 20
		as_process_1 "$sig" "until_listening e" watch --timeout 20
		as_process_1 "$sig" "until_listening e" on e -- true
		as_process_1 "$sig" : top --interval 20s
		as_process_1 "$sig" : emit e --need 1 --timeout 20
		as_process_1 "$sig" : emit e --stdin
		as_process_1 "$sig" : emit e --lines
		nothing_taken
	done
	for sig in HUP:129 QUIT:131; do
		as_process_1 "$sig" "until_listening e" wait e --timeout 20
	done
	exec 7<&-
}

@test "set -e and pipelines" {
	local script='set -eu -o pipefail
		"$AIOEVT" emit e 1
		"$AIOEVT" emit e 2
		"$AIOEVT" wait e --after 1 --timeout 0 | cat
		"$AIOEVT" wait e --timeout 0 || echo "status $?"
		if "$AIOEVT" wait none --timeout 0; then echo wrong; fi
		"$AIOEVT" list --json | head -n 1 | grep -c event
		echo text | "$AIOEVT" emit e --stdin | cat
		"$AIOEVT" wait e --after 2 --timeout 0 --format "{0}" | head -c 4
		"$AIOEVT" wait e --timeout 0 | cat
		echo "not reached"'

	AIOEVT=$AIOEVT run timeout -s KILL 30 bash -c "$script" 3>&-
	expect "status" "$status" 124
	expect "output" "$output" $'2\nstatus 124\n1\ntext'
}

# The odd payloads, to files "odd.N".
make_odd() {
	cd "$BATS_TEST_TMPDIR"
	printf 'a\nb\n\n' >odd.1
	printf '\033[31mred\r\t\177%s' "it's \"quoted\" \$(touch ran) \`touch ran\` \\ {0} {{ }} %s %n ! & ; | <" >odd.2
	printf 'a\0b\0' >odd.3
	printf '\377\376 not utf-8 \300\200\n' >odd.4
	printf '%s' '--json' >odd.5
	: >odd.6
}

# same WHAT FILE: $OUT is that file
same() {
	cmp "$OUT" "$2" && return
	printf '%s\n' "$1"
	return 1
}

@test "odd payloads pass through every format and back" {
	local i last

	make_odd
	for i in odd.*; do
		run_aioevt emit --print-seq e --stdin <"$i"
		last=$((output - 1))
		run_aioevt wait e --after "$last" --timeout 0
		printf '\n' | cat "$i" - >want
		same "plain, $i" want
		run_aioevt wait e --after "$last" --timeout 0 --format '<{0}>'
		{ printf '<'; cat "$i"; printf '>\n'; } >want
		same "template, $i" want
		if ! grep -qaP '\0' "$i"; then
			run_aioevt wait e --after "$last" --timeout 0 -0
			{ cat "$i"; printf '\0'; } >want
			same "-0, $i" want
			run_aioevt wait e --after "$last" --timeout 0 --format shell
			sh -euc '. "$1"; printf %s "$AIOEVT_ARG_0"' - "$OUT" >"$OUT.sh"
			mv "$OUT.sh" "$OUT"
			same "shell, $i" "$i"
			expect "ran" "$(find . -name ran)" ""
		fi
		# back by JSON, NUL-ended too
		run_aioevt wait e --after "$last" --timeout 0 --json
		expect "lines of JSON" "$(wc -l <"$OUT")" 1
		cp "$OUT" json
		run_aioevt wait e --after "$last" --timeout 0 --json -0
		tr '\n' '\0' <json >want
		same "json -0, $i" want
		run_aioevt emit --print-seq e --json "$(cat json)"
		last=$((output - 1))
		run_aioevt wait e --after "$last" --timeout 0 --format '{0}\0'
		printf '\0\n' | cat "$i" - >want
		same "and back, $i" want
	done
}

@test "16 MiB pass through, of text and of bytes" {
	local size=$((16 * 1024 * 1024 - 16)) i

	yes "a line it's" | head -c "$size" >"$BATS_TEST_TMPDIR/text"
	yes $'\xff\x01 bytes' | head -c "$size" >"$BATS_TEST_TMPDIR/bytes"
	for i in text bytes; do
		run_aioevt emit e --stdin <"$BATS_TEST_TMPDIR/$i"
		"$AIOEVT" wait e --after 0 --timeout 0 -0 3>&- | head -c -1 >"$OUT"
		same "$i" "$BATS_TEST_TMPDIR/$i"
		"$AIOEVT" wait e --after 0 --timeout 0 --format '{0}' 3>&- | head -c -1 >"$OUT"
		same "$i, template" "$BATS_TEST_TMPDIR/$i"
		"$AIOEVT" rm e 3>&-
	done
}

@test "names with quotes, dollars and dashes" {
	local name

	for name in "it's" '$(id)' 'a`b`' '"' '\n' 'ä.ö' 'a;b' '{0}' 'a-' 'k=v'; do
		run_aioevt emit "$name" x
		run_aioevt wait --after 0 --timeout 0 --format '{event}' "$name"
		expect "name" "$output" "$name"
		run_aioevt wait --after 0 --timeout 0 --format shell "$name"
		expect "in a shell" "$(sh -euc 'eval "$1"; printf %s "$AIOEVT_EVENT"' - "$output")" "$name"
	done
	run_aioevt emit -- -dash x
	run_aioevt wait --after 0 --timeout 0 --format '{event} {0}' '*'
	expect_match "one of them" "$output" '* x'
}

@test "options in any order, before and behind names" {
	local want i

	run_aioevt emit e one k=v
	for i in "wait e --after 0 -t 0 --format {args} --utc -0" "wait -0 --utc --format {args} -t 0 --after 0 e" \
		"wait --format={args} e --after=0 --null --timeout=0 --utc" \
		"-b $AIOEVT_BUS wait -t0 --after 0 e --format {args} -0" \
		"wait -t0 --after 0 e --format {args} -0 -b $AIOEVT_BUS"; do
		# shellcheck disable=SC2086
		run_aioevt $i
		expect "$i" "$(tr '\0' '|' <"$OUT")" '["one"]|'
	done
	run_aioevt emit f a --string 5 -b "$AIOEVT_BUS" k=1
	run_aioevt emit -b "$AIOEVT_BUS" f --string a 5 k=1
	run_aioevt wait f --after 0 --timeout 0 --format '{args}{kwargs}'
	want=$output
	run_aioevt wait f --after 1 --timeout 0 --format '{args}{kwargs}'
	expect "emit" "$output" "$want"
	# the last one of several counts
	run_aioevt wait e --after 5 --after 0 -t 0 --json --format '{0}'
	expect "the last" "$output" one
}
