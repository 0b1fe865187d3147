#!/usr/bin/env bats
# aioevt emit: many records, from lines, items and recordings.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# record N [EVENT]: what the record behind number N holds, as JSON
record() {
	run_aioevt wait "${2-e}" --after "$1" --timeout 0 --json || return
	output=${output#*'"args":'}
	output='{"args":'${output%',"missed":'*}'}'
}

# records EVENT WANT...: the data of all records, and no more
records() {
	local event=$1 n=0 want

	shift
	for want in "$@"; do
		record "$n" "$event" || return
		expect "$event, record $((n + 1))" "$output" "$want" || return
		n=$((n + 1))
	done
	run_aioevt 124 wait "$event" --after "$n" --timeout 0
}

# one_line PATTERN: on stderr, and nothing on stdout; also of a run at the end of a pipe
one_line() {
	expect "stdout" "$(cat "$OUT")" "" || return
	expect "lines on stderr" "$(wc -l <"$ERR")" 1 || return
	expect_match "stderr" "$(cat "$ERR")" "$1"
}

@test "emit --lines: one record for each line, behind the other data" {
	printf 'one\n\n3\ntrue\nk=v\n' | run_aioevt emit e --lines x 7 key=v
	expect "stdout and stderr" "$(cat "$OUT" "$ERR")" ""
	records e '{"args":["x",7,"one"],"kwargs":{"key":"v"}}' \
		'{"args":["x",7,""],"kwargs":{"key":"v"}}' \
		'{"args":["x",7,"3"],"kwargs":{"key":"v"}}' \
		'{"args":["x",7,"true"],"kwargs":{"key":"v"}}' \
		'{"args":["x",7,"k=v"],"kwargs":{"key":"v"}}'
}

@test "emit --lines: a last line without its end counts; none, no record" {
	printf 'a\nb' | run_aioevt emit e --lines
	records e '{"args":["a"],"kwargs":{}}' '{"args":["b"],"kwargs":{}}'
	printf 'a\0b' | run_aioevt emit f --null
	records f '{"args":["a"],"kwargs":{}}' '{"args":["b"],"kwargs":{}}'
	run_aioevt emit g --lines </dev/null
	run_aioevt 124 wait g --after 0 --timeout 0
	run_aioevt emit g --from - </dev/null
	run_aioevt 124 wait g --after 0 --timeout 0
}

@test "emit -0: items that hold newlines, bytes, and nothing" {
	printf 'a\nb\0\377\376\0\0ä\0' | run_aioevt emit -0 e
	records e '{"args":["a\nb"],"kwargs":{}}' '{"args":[{"$bytes":"//4="}],"kwargs":{}}' \
		'{"args":[""],"kwargs":{}}' '{"args":["ä"],"kwargs":{}}'
	# behind NAME they are no options
	printf 'x\0' | run_aioevt emit -0 f -0.5 -05 -0 -00
	records f '{"args":[-0.5,"-05","-0","-00","x"],"kwargs":{}}'
	printf 'a\0b\n' | run_aioevt emit g --lines
	records g '{"args":["a\u0000b"],"kwargs":{}}'
}

@test "emit --lines: many constant parts, of all types" {
	local many=()

	mapfile -t many < <(seq 30 99)
	printf 'x\n' | run_aioevt emit e "${many[@]}" ':=[1,{"a":null}]' --lines --arg a=b
	records e "{\"args\":[$(seq -s, 30 99),[1,{\"a\":null}],\"a=b\",\"x\"],\"kwargs\":{}}"
	printf '1\n' | run_aioevt emit f --lines --string 5 b=1 "long=$(printf '%0300d' 0)" a:=2
	records f "{\"args\":[\"5\",\"1\"],\"kwargs\":{\"a\":2,\"b\":\"1\",\"long\":\"$(printf '%0300d' 0)\"}}"
}

# Heads of 1, 2, 3 and 5 bytes, and items that begin and end anywhere in what is read at once.
@test "emit --lines: lines of any length come out as they went in" {
	local n i

	for n in 0 1 23 24 255 256 65535 65536 262143 262144 262145 700000; do
		head -c "$n" /dev/zero | tr '\0' 'x'
		printf '\n%s\n' "$n"
	done >"$BATS_TEST_TMPDIR/lines"
	run_aioevt emit e --lines <"$BATS_TEST_TMPDIR/lines"
	for i in {0..23}; do
		run_aioevt wait e --after "$i" --timeout 0
		cat "$OUT"
	done >"$BATS_TEST_TMPDIR/got"
	sed '/^\$ aioevt/d' "$BATS_TEST_TMPDIR/got" | cmp - "$BATS_TEST_TMPDIR/lines"
}

@test "emit --lines: a record is emitted when its line has come" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$AIOEVT" emit e --lines <"$BATS_TEST_TMPDIR/fifo" 3>&- &
	exec 7>"$BATS_TEST_TMPDIR/fifo"
	printf 'one\ntw' >&7
	run_aioevt wait e --after 0 --timeout 10
	expect "first" "$output" one
	run_aioevt 124 wait e --after 1 --timeout 0
	printf 'o\n' >&7
	run_aioevt wait e --after 1 --timeout 10
	expect "second" "$output" two
	printf 'three' >&7
	exec 7>&-
	wait $!
	run_aioevt wait e --after 2 --timeout 0
	expect "third" "$output" three
}

@test "emit --lines: a line that the bus does not take; those before it are there" {
	{
		printf 'first\n'
		head -c 16777300 /dev/zero | tr '\0' x
		printf '\nlast\n'
	} | run_aioevt 1 emit e --lines
	one_line "aioevt: standard input, line 2: over the 16777216 bytes that the bus takes *"
	records e '{"args":["first"],"kwargs":{}}'
	# as much as goes in, and one byte more
	{ head -c 16777205 /dev/zero | tr '\0' x; printf '\0'; } | run_aioevt emit -0 f
	run_aioevt wait f --after 0 --timeout 0
	expect "bytes" "$(wc -c <"$OUT")" 16777206
	{ printf 'a\0'; head -c 16777216 /dev/zero | tr '\0' x; } | run_aioevt 1 emit -0 f
	one_line "aioevt: standard input, item 2: over the 16777216 bytes that the bus takes *"
}

@test "emit --lines takes the longest line that makes a record" {
	local max n

	# A text of 256 bytes has a head of one byte more than one of 255.
	for max in 258 259 260 261 262; do
		run_aioevt -b "m$max" create --max-payload "$max" --slot 64
		n=$max
		until run_emit "m$max" "$n" --stdin 2>/dev/null; do
			n=$((n - 1))
			[ "$n" -gt 200 ]
		done
		run_emit "m$max" "$n" --lines
		run_emit "m$max" $((n + 1)) --lines --on-long cut
		run_aioevt -b "m$max" get e
		expect "$max: cut to" "${#output}" "$n"
		rm "$AIOEVT_DIR/aioevt.$(id -u).m$max"
	done
}

# run_emit BUS N OPTION...: with a line of N bytes
run_emit() {
	printf "%0$2d" 7 | tr 0 x | timeout 20 "$AIOEVT" -b "$1" emit e "${@:3}" 3>&-
}

@test "emit --lines --on-long: a line that the bus does not take is skipped or cut, and told" {
	local how said

	run_aioevt create --max-payload 4096
	for how in skip cut; do
		{
			printf 'a\n'
			head -c 4089 /dev/zero | tr '\0' x
			printf '\xc3\xa4rest\nb\n'
			head -c 1000000 /dev/zero | tr '\0' y
			printf '\nc\n'
			head -c 5000 /dev/zero | tr '\0' z
		} >"$BATS_TEST_TMPDIR/lines"
		said=${how/skip/skipped}
		run_aioevt emit "$how" --lines --on-long "$how" <"$BATS_TEST_TMPDIR/lines"
		expect "stdout" "$output" ""
		expect "stderr" "$errors" "$(printf "aioevt: standard input, line %d: over the 4096 \
bytes that the bus takes (max_payload); %s\n" 2 "$said" 4 "$said" 6 "$said")"
	done
	run_aioevt wait skip --after 0 --count 3 --timeout 0
	expect "skip" "$output" $'a\nb\nc'
	# a character that would be cut in two is left out
	run_aioevt wait cut --after 0 --count 6 --timeout 0
	expect "cut" "$(awk '{ print substr($0, 1, 1) length($0) }' <<<"$output" | paste -sd ' ')" \
		"a1 x4089 b1 y4090 c1 z4090"
	printf '%05000d\0a\0' 7 | run_aioevt emit nul --null --on-long skip
	one_line "aioevt: standard input, item 1: over *; skipped"
	run_usage emit e --lines --on-long drop
	expect "stderr" "$errors" 'aioevt: --on-long "drop": not fail, skip or cut'
	run_usage emit e --on-long cut
	# what is beside the line is too large already
	run_aioevt 1 emit e --lines "$(printf %05000d 7)" <<<x
	one_line "aioevt: the data beside standard input takes 50?? bytes, over the 4096 bytes *"
}

@test "emit --lines: standard input that cannot be read" {
	run_aioevt 1 emit e --lines </
	one_line "aioevt: standard input, line 1: Is a directory"
	run_aioevt 1 emit e --from - </
	one_line "aioevt: standard input, line 1: Is a directory"
}

@test "emit --lines ends with 143 on SIGTERM, and leaves nothing" {
	local status=0 pid

	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$AIOEVT" emit e --lines <"$BATS_TEST_TMPDIR/fifo" 3>&- &
	pid=$!
	exec 7>"$BATS_TEST_TMPDIR/fifo"
	printf 'one\n' >&7
	run_aioevt wait e --after 0 --timeout 10
	kill -TERM "$pid"
	wait "$pid" || status=$?
	exec 7>&-
	expect "status" "$status" 143
}

@test "emit --lines goes on with the bus that takes a removed one's place" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$AIOEVT" emit e --lines <"$BATS_TEST_TMPDIR/fifo" 3>&- &
	exec 7>"$BATS_TEST_TMPDIR/fifo"
	printf 'one\n' >&7
	run_aioevt wait e --after 0 --timeout 10
	rm "$BUS_FILE"
	start_aioevt wait e --after 0 --timeout 15
	until_true test -e "$BUS_FILE"
	sleep 1.1 # as long as a removed bus may go unnoticed
	printf 'two\n' >&7
	end_aioevt
	expect "on the next bus" "$output" two
	exec 7>&-
	wait
}

@test "emit --from: what wait --json recorded is emitted again, event by event" {
	local i

	run_aioevt emit a.b 1 $'x\ny' k=2.5
	run_aioevt emit a.c ':={"$bytes":"AP8="}' ':=18446744073709551615'
	run_aioevt emit a.b
	for i in "a.b 0" "a.c 0" "a.b 1"; do
		# shellcheck disable=SC2086
		set -- $i
		"$AIOEVT" wait "$1" --after "$2" --json --timeout 0 3>&-
	done >"$BATS_TEST_TMPDIR/recording"
	rm -f "$BUS_FILE"
	run_aioevt emit --from "$BATS_TEST_TMPDIR/recording"
	expect "stdout" "$output" ""
	records a.b '{"args":[1,"x\ny"],"kwargs":{"k":2.5}}' '{"args":[],"kwargs":{}}'
	records a.c '{"args":[{"$bytes":"AP8="},18446744073709551615],"kwargs":{}}'
	run_aioevt emit all --from - <"$BATS_TEST_TMPDIR/recording"
	records all '{"args":[1,"x\ny"],"kwargs":{"k":2.5}}' \
		'{"args":[{"$bytes":"AP8="},18446744073709551615],"kwargs":{}}' \
		'{"args":[],"kwargs":{}}'
	printf '{"event":"z","kwargs":{"a":1}}' | run_aioevt emit --from -
	records z '{"args":[],"kwargs":{"a":1}}'
}

@test "emit --from: more events than are kept open, and again" {
	local i

	for i in {1..3}; do
		seq 100 | sed 's/.*/{"event":"many.&","args":[&]}/'
	done | run_aioevt emit --from -
	for i in 1 31 32 33 34 99 100; do
		records "many.$i" "{\"args\":[$i],\"kwargs\":{}}" "{\"args\":[$i],\"kwargs\":{}}" \
			"{\"args\":[$i],\"kwargs\":{}}"
	done
}

@test "emit --from: a bad line is told by its number, and those before it are there" {
	local i=0 line why

	while IFS='|' read -r line why; do
		i=$((i + 1))
		printf '{"event":"e%d","args":[1]}\n\n%s\n{"event":"e%d"}\n' "$i" "$line" "$i" \
			>"$BATS_TEST_TMPDIR/bad"
		run_aioevt 1 emit --from "$BATS_TEST_TMPDIR/bad"
		one_line "aioevt: $BATS_TEST_TMPDIR/bad, line 3: $why"
		records "e$i" '{"args":[1],"kwargs":{}}'
	done <<-'END'
		{"event":"e"|invalid JSON at column *
		nonsense|invalid JSON at column *
		[1]|not {*
		{"args":[1]}|no "event", and no NAME was given
		{"event":1}|"event" is not a text
		{"event":"a b"}|event name "a b": white space*
		{"event":""}|event name "": *
		{"event":"a.*"}|event name "a.\*": *
		{"event":"e","args":{}}|"args" is not a list
		{"event":"e","argv":[]}|only "args" and "kwargs" are data, not "argv"
		{"event":"e","time":"x"}|"time" is not a number of nanoseconds
		{"event":"e","args":[99999999999999999999]}|integer 99999999999999999999 is not *
	END
	expect "cases" "$i" 12
	printf '{}\n{}\n\0\n' | run_aioevt 1 emit e --from -
	one_line "aioevt: standard input, line 3: *"
	run_aioevt 1 emit --from "$BATS_TEST_TMPDIR/none"
	one_line "aioevt: --from \"$BATS_TEST_TMPDIR/none\": No such file or directory"
}

@test "emit --from --speed: the spacing of the recording, divided" {
	local start took

	printf '{"args":[%d],"time":%d}\n' 1 1000000000 2 5000000000 3 3000000000 4 9000000000 \
		>"$BATS_TEST_TMPDIR/recording"
	start=$(date +%s%N)
	run_aioevt emit e --from "$BATS_TEST_TMPDIR/recording" --speed 20
	took=$((($(date +%s%N) - start) / 1000000))
	# 400 ms; undivided 8 s
	[ "$took" -ge 400 ]
	[ "$took" -lt 8000 ]
	# the second 200 ms behind the first, the third, which was earlier, behind it
	for i in 0 1 2 3; do
		"$AIOEVT" wait e --after "$i" --json --timeout 0 3>&-
	done | jq -s --argjson start "$start" 'map(.time / 1000000 - $start / 1000000 | floor)' \
		>"$OUT" 3>&-
	jq -e '.[1] >= 199 and .[2] >= .[1] and .[3] >= 399' "$OUT" 3>&-
	# an hour, in 4 ms
	printf '{"time":%d}\n' 1000000000 3601000000000 | run_aioevt emit e --from - --speed 1000000
	printf '{"args":[1]}\n' | run_aioevt 1 emit e --from - --speed 1
	one_line 'aioevt: standard input, line 1: no "time", which --speed needs'
}

@test "emit --lines and --from: what does not go together" {
	local i

	for i in --stdin '--json {}' '--after 1' '--ack 1' --if-changed --print-seq --null -0 \
		"--from /dev/null"; do
		# shellcheck disable=SC2086
		run_usage emit --lines $i e
		expect_match "stderr" "$errors" "* beside *: one or the other"
	done
	for i in --stdin '--json {}' '--after 1' '--ack 1' --if-changed --print-seq --null \
		--string --lines; do
		# shellcheck disable=SC2086
		run_usage emit e --from /dev/null $i
		expect_match "stderr" "$errors" "* beside *: one or the other"
	done
	run_usage emit e word --from /dev/null
	run_usage emit e --from /dev/null --arg word
	run_usage emit --from /dev/null --need 1
	run_usage emit 'a b' --from /dev/null
	run_usage emit --lines
	run_usage emit e --speed 1
	for i in 0 -1 x 1e3 0.0001 1000001 ''; do
		run_usage emit e --from /dev/null --speed "$i"
		expect_match "stderr" "$errors" "*--speed \"$i\": not a number from 0.001 to 1e+06"
	done
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}
