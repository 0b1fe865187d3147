#!/usr/bin/env bats
# aioevt watch: all events live, on lines that are safe to look at, whoever comes and goes.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# start_watch ARGS: it listens already, to "first" too, which exists; end_aioevt takes its result
start_watch() {
	run_aioevt create first
	start_aioevt watch "$@"
	until_listening first
}

# The lines so far, without their times.
lines() {
	sed 's/^[^ ]* //' "$OUT.bg"
}

has_lines() {
	[ "$(wc -l <"$OUT.bg")" -ge "$1" ]
}

@test "watch shows all events, on one line each" {
	start_watch --count 4 --timeout 20
	run_aioevt emit door.front open 2.5 'two words' by='Ann B' n=1
	run_aioevt emit first
	run_aioevt emit door.front ':=[1,{"a":null}]'
	run_aioevt emit other true
	end_aioevt
	expect "stderr" "$errors" ""
	expect "stdout" "$(lines)" 'door.front 1 open 2.5 "two words" n=1 by="Ann B"
first 1
door.front 2 [1,{"a":null}]
other 1 true'
}

@test "watch shows what is emitted from then on" {
	run_aioevt emit first old
	run_aioevt emit old old
	start_watch --count 1 --timeout 20
	run_aioevt emit first new
	end_aioevt
	expect "stdout" "$(lines)" 'first 2 new'
}

@test "watch tells texts from what looks like something else" {
	start_watch --count 1 --timeout 20
	run_aioevt emit e --json '{"args":["5",5,"true",true,"null",null,"","a=b","-x","/a/b.c:1",
		"_","a\"b","1a","é",{"$bytes":"AP8="}],"kwargs":{"a b":1,"c":"d=e","k":"5","e\n":2}}'
	end_aioevt
	expect "stdout" "$(lines)" 'e 1 "5" 5 "true" true "null" null "" "a=b" "-x" /a/b.c:1 _ "a\"b" '\
'"1a" "é" {"$bytes":"AP8="} c="d=e" k="5" "e\n"=2 "a b"=1'
}

@test "watch shows nothing that a terminal would obey" {
	local nasty=$'\a\b\t\n\r\e[31m\x7f'

	# C1 controls, marks of direction, separators of lines, a byte order mark
	nasty+=$'\u0085\u009b31m\u061c\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069\ufeff'
	start_watch --count 2 --timeout 20
	run_aioevt emit $'a\u202eb' --arg "$nasty" "k=$nasty"
	run_aioevt emit e $'\x9b\xff\e'
	end_aioevt
	expect "stdout" "$(lines)" 'a\u202eb 1 "\u0007\b\t\n\r\u001B[31m\u007f\u0085\u009b31m\u061c'\
'\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069\ufeff" k="\u0007\b\t\n\r\u001B[31m\u007f\u0085'\
'\u009b31m\u061c\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069\ufeff"
e 1 {"$bytes":"m/8b"}'
	# Another JSON reader finds the same text.
	expect "text" "$(lines | sed -n '1s/.* 1 \(".*"\) k=.*/\1/p' | jq -j .)" "$nasty"
}

@test "watch shows times as RFC 3339: local, or UTC" {
	local zone ns seconds ms

	for zone in UTC0 XXX-5:45 XXX+3:30; do
		TZ=$zone start_watch --count 1 --timeout 20
		run_aioevt emit e
		end_aioevt
		run_aioevt get e --json
		ns=$(sed 's/.*"time":\([0-9]*\),.*/\1/' <<<"$output")
		seconds=$((ns / 1000000000))
		ms=$(printf %03d $((ns / 1000000 % 1000)))
		expect "$zone" "$(sed 's/ .*//' "$OUT.bg")" \
			"$(TZ=$zone date -d "@$seconds" "+%Y-%m-%dT%H:%M:%S.$ms%:z")"
	done
	TZ=XXX-5:45 start_watch --count 1 --timeout 20 --utc
	run_aioevt emit e
	end_aioevt
	run_aioevt get e --json
	ns=$(sed 's/.*"time":\([0-9]*\),.*/\1/' <<<"$output")
	ms=$(printf %03d $((ns / 1000000 % 1000)))
	expect "UTC" "$(sed 's/ .*//' "$OUT.bg")" \
		"$(date -u -d "@$((ns / 1000000000))" "+%Y-%m-%dT%H:%M:%S.${ms}Z")"
}

@test "watch PATTERN...: those events alone" {
	start_watch 'job.*.done' first other --count 4 --timeout 20
	run_aioevt emit job.1.started
	run_aioevt emit job.1.done
	run_aioevt emit first
	run_aioevt emit none
	run_aioevt emit job.2.done
	run_aioevt emit other
	end_aioevt
	expect "stdout" "$(lines)" 'job.1.done 1
first 1
job.2.done 1
other 1'
}

@test "watch --json prints the records as others do" {
	start_watch --json --count 2 --timeout 20
	run_aioevt emit e $'\e' k=1
	run_aioevt emit e ':={"a":[]}'
	end_aioevt
	mv "$OUT.bg" "$OUT.watch"
	run_aioevt get e -n 2 --json
	expect "stdout" "$(cat "$OUT.watch")" "$output"
}

@test "watch --count and --timeout" {
	run_aioevt watch --timeout 10ms
	expect "output" "$output$errors" ""
	run_aioevt 124 watch --timeout 10ms --count 1
	expect "output" "$output$errors" "aioevt: timed out on $(this_bus)"
	start_watch --count 2 --timeout 20
	run_aioevt emit e 1
	run_aioevt emit e 2
	run_aioevt emit e 3
	end_aioevt
	expect "stdout" "$(lines)" $'e 1 1\ne 2 2'
}

@test "watch writes what is there before it waits" {
	start_watch --timeout 30
	run_aioevt emit e 1
	until_true has_lines 1
	run_aioevt emit e 2
	until_true has_lines 2
	expect "stdout" "$(lines)" $'e 1 1\ne 2 2'
	kill "$BACKGROUND"
	end_aioevt 143
}

@test "watch tells what it missed, on standard error or in the object" {
	local i option

	for option in --utc --json; do
		rm -f "$BUS_FILE"
		run_aioevt create --depth 8
		start_watch first "$option" --count 8 --timeout 20
		kill -STOP "$BACKGROUND"
		for i in {1..20}; do
			"$AIOEVT" emit first "$i" 3>&-
		done
		kill -CONT "$BACKGROUND"
		end_aioevt
		if [ "$option" = --json ]; then
			expect "stderr" "$errors" ""
			expect "missed" "$(jq -r '"\(.seq) \(.missed)"' <<<"$output")" '13 12
14 0
15 0
16 0
17 0
18 0
19 0
20 0'
		else
			expect "stderr" "$errors" \
				'aioevt: event "first": 12 records before number 13 were missed'
			expect "stdout" "$(lines)" "$(printf 'first %d %d\n' {13,13,14,14,15,15,16,16,17,17,18,18,19,19,20,20})"
		fi
	done
}

@test "watch holds nobody up" {
	local i

	run_aioevt create --depth 8
	start_watch --timeout 30
	run_aioevt list --json first
	expect "listeners" "$(jq -c '[.listeners, .reliable]' <<<"$output")" '[1,0]'
	kill -STOP "$BACKGROUND"
	for i in {1..20}; do
		run_aioevt emit first
	done
	kill -KILL "$BACKGROUND"
	end_aioevt 137
}

@test "watch ends when the reader of its output goes, without a word and without an event" {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	run_aioevt create first
	"$AIOEVT" watch --timeout 30 >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR.bg" </dev/null 3>&- &
	BACKGROUND=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	until_listening first
	run_aioevt emit e x
	read -r -u 7 line
	expect "line" "${line#* }" "e 1 x"
	exec 7<&-
	: >"$OUT.bg"
	end_aioevt 141
	expect "stderr" "$errors" ""
	# Where SIGPIPE is ignored.
	(trap '' PIPE; exec "$AIOEVT" watch --timeout 30) >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR.bg" \
		</dev/null 3>&- &
	BACKGROUND=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	until_listening first
	exec 7<&-
	end_aioevt 1
	expect "stderr" "$errors" ""
	# The same with something to write.
	(trap '' PIPE; exec "$AIOEVT" watch --timeout 30) >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR.bg" \
		</dev/null 3>&- &
	BACKGROUND=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	until_listening first
	kill -STOP "$BACKGROUND"
	exec 7<&-
	run_aioevt emit first x
	kill -CONT "$BACKGROUND"
	end_aioevt 1
	expect "stderr" "$errors" ""
}

@test "watch | head ends" {
	local status=0

	run_aioevt create first
	(set -o pipefail; timeout -s KILL 20 "$AIOEVT" watch 3>&- | head -n 1 >"$OUT.bg") &
	until_listening first
	run_aioevt emit first x
	wait $! || status=$?
	expect "status" "$status" 141
	expect "stdout" "$(lines)" "first 1 x"
}

@test "watch: standard output that cannot be written to" {
	local status=0

	run_aioevt create first
	"$AIOEVT" watch --timeout 30 >/dev/full 2>"$ERR.bg" 3>&- &
	until_listening first
	run_aioevt emit first
	wait $! || status=$?
	expect "status" "$status" 1
	expect_match "stderr" "$(cat "$ERR.bg")" "aioevt: standard output: No space left*"
	expect "lines" "$(wc -l <"$ERR.bg")" 1
}

@test "watch goes on with the bus that takes a removed one's place" {
	start_watch --count 3 --timeout 30
	run_aioevt emit e before
	until_true has_lines 1
	rm "$BUS_FILE"
	run_aioevt emit e after
	run_aioevt emit f after
	end_aioevt
	expect "stdout" "$(lines)" 'e 1 before
e 1 after
f 1 after'
	expect "stderr" "$errors" ""
}

# Signals as a shell that waits in the foreground would have them.
@test "watch: SIGINT and SIGTERM end it, and it leaves nothing" {
	local name number

	for name in INT:130 TERM:143; do
		number=${name#*:} name=${name%:*}
		run_aioevt create first
		env --default-signal="INT" "$AIOEVT" watch --timeout 30 --json >"$OUT.bg" \
			2>"$ERR.bg" </dev/null 3>&- &
		BACKGROUND=$!
		until_listening first
		run_aioevt emit first x
		until_true has_lines 1
		kill "-$name" "$BACKGROUND"
		end_aioevt "$number"
		expect "stderr" "$errors" ""
		expect "event" "$(jq -r .event <<<"$output")" first
		# Whoever comes next takes it off.
		until_true has_no_listeners first
	done
}

has_no_listeners() {
	"$AIOEVT" emit other 3>&-
	! has_listeners "$1" 1
}

@test "watch shows large records whole" {
	start_watch --count 2 --timeout 20
	head -c 1000000 /dev/zero | tr '\0' y | "$AIOEVT" emit e --stdin 3>&-
	run_aioevt emit e small
	end_aioevt
	expect "lines" "$(wc -l <"$OUT.bg")" 2
	expect "bytes" "$(lines | wc -c)" $((1000000 + 5 + 10))
}

# on_terminal COMMAND: run it on a terminal; what it wrote in $output, with its escape
# sequences as people write them. "first" is emitted once it listens.
on_terminal() {
	run_aioevt create first
	timeout -s KILL 20 script -qec "$1" "$OUT.bg" >/dev/null 2>&1 </dev/null 3>&- &
	until_listening first
	run_aioevt emit first a k=1
	wait $! || return
	output=$(sed '1d; $d' "$OUT.bg" | grep first | tr -d '\r' | sed 's/\x1b/\\e/g')
}

@test "watch: colours on a terminal, and nowhere else" {
	local plain

	type script >/dev/null || skip "no script(1)"
	export TERM=xterm
	on_terminal "'$AIOEVT' watch --count 1"
	expect_match "coloured" "$output" '\\e\[2m*\\e\[0m \\e\[1mfirst\\e\[0m \\e\[2m1\\e\[0m a \\e\[36mk=\\e\[0m1'
	for plain in NO_COLOR=1 TERM=dumb; do
		rm "$BUS_FILE"
		on_terminal "$plain '$AIOEVT' watch --count 1"
		expect_match "$plain" "$output" '20[0-9T:.+-]* first 1 a k=1'
	done
	# An empty NO_COLOR is none.
	rm "$BUS_FILE"
	on_terminal "NO_COLOR= '$AIOEVT' watch --count 1"
	expect_match "coloured" "$output" '\\e\[2m*'
	rm "$BUS_FILE"
	on_terminal "'$AIOEVT' watch --json --count 1"
	expect_match "json" "$output" '{"event":"first",*}'
}

@test "watch: usage" {
	run_usage watch 'a b'
	run_usage watch --count 0
	expect "stderr" "$errors" 'aioevt: --count "0": not a number from 1 to 9223372036854775807'
	run_usage watch --count x
	run_usage watch --timeout soon
	run_aioevt 64 watch --format shell
}
