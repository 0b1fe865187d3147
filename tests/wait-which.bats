#!/usr/bin/env bats
# aioevt wait: how many records it takes, of which names, and under which condition.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

emit_each() {
	local i

	for i in "$@"; do
		# shellcheck disable=SC2086
		run_aioevt emit $i
	done
}

@test "wait --count takes that many, of any NAME" {
	emit_each "a 1" "b 2" "a 3" "c 4" "b 5"
	run_aioevt wait a b --after 0 --count 4
	expect "stdout" "$output" $'1\n2\n3\n5'
	run_aioevt wait '>' --after 0 --count 5 --any
	expect "stdout" "$output" $'1\n2\n3\n4\n5'
	run_aioevt 124 wait a b --after 0 --count 5 --timeout 0
	expect "stdout" "$output" $'1\n2\n3\n5'
	start_aioevt wait a --count 2 --timeout 10
	until_listening a
	emit_each "a 6" "a 7" "a 8"
	end_aioevt
	expect "stdout" "$output" $'6\n7'
}

@test "wait --all waits for each NAME, and prints each once, as they come" {
	start_aioevt wait --all a b c --timeout 15
	until_listening c
	emit_each "b 1"
	until_true grep -q 1 "$OUT.bg"
	emit_each "b 2" "c 3" "c 4" "a 5"
	end_aioevt
	expect "stdout" "$output" $'1\n3\n5'
	run_aioevt 124 wait --all a b d --after 0 --timeout 0
	expect "stdout" "$output" $'1\n5'
}

@test "wait --all with patterns: one under each, and one may do for several" {
	emit_each "job.1.done 1" "job.2.failed 2" "job.3.done 3"
	run_aioevt wait --all 'job.*.done' 'job.2.>' --after 0 --timeout 10
	expect "stdout" "$output" $'1\n2'
	run_aioevt wait --all 'job.>' '>' 'job.1.done' job.1.done --after 0 --timeout 10
	expect "stdout" "$output" 1
	run_aioevt 124 wait --all 'job.*.done' 'other.*' --after 0 --timeout 0
	expect "stdout" "$output" 1
}

@test "wait --all names on a timeout what was not seen" {
	emit_each "a 1" "b 1" "a 2" "c.1 1"
	run_aioevt 124 wait --all a 'x.*' b y --after 0 --timeout 10ms
	expect_match "stderr" "$errors" 'aioevt: timed out on bus *; not seen: x.\*, y'
	run_aioevt 124 wait --all a b 'c.*' --count 2 --after 0 --timeout 10ms
	expect_match "stderr" "$errors" '*; not seen: b (1 of 2), c.\* (1 of 2)'
	run_aioevt 124 wait a x --count 9 --after 0 --timeout 10ms
	expect_match "stderr" "$errors" 'aioevt: timed out on bus *"*'
	[[ $errors != *"not seen"* ]]
	run_aioevt 124 wait --all a x --after 0 --timeout 0
	expect "stderr" "$errors" ""
}

@test "wait --all --count N takes N of each NAME" {
	emit_each "a 1" "a 2" "a 3" "b 4" "c.x 5" "c.y 6" "c.x 7" "b 8"
	run_aioevt wait --all a b 'c.*' --count 2 --after 0 --timeout 10
	expect "stdout" "$output" $'1\n2\n4\n5\n6\n8'
	run_aioevt 124 wait --all a b 'c.*' --count 3 --after 0 --timeout 0
	expect "stdout" "$output" $'1\n2\n3\n4\n5\n6\n7\n8'
}

@test "wait --where takes only what meets it, and counts only that" {
	emit_each "e 5 host=web" "e 10 host=db" "e 12 host=web" "e 20 host=db" "e ten host=db" "e"
	run_aioevt wait e --after 0 --timeout 10 --where 'args[0] >= 10 && kwargs.host == "db"'
	expect "stdout" "$output" $'10\nhost=db'
	run_aioevt 124 wait e --after 0 --count 9 --timeout 0 --format json \
		--where 'args[0] >= 10 && kwargs.host == "db"'
	expect "numbers" "$(jq -c .seq "$OUT" | tr '\n' ' ')" "2 4 "
	run_aioevt 124 wait '>' --after 0 --timeout 0 --count 9 --print-seq \
		--where 'seq < 3 || !kwargs.host || args[0] =~ "^t.n$"'
	expect "stdout" "$output" $'1\n5\nhost=web\n2\n10\nhost=db\n5\nten\nhost=db\n6'
	run_aioevt 124 wait e --after 0 --timeout 0 --where 'event !~ "^e"'
	expect "stdout" "$output" ""
}

@test "wait --where, and a record that it does not take is new no more" {
	start_aioevt wait e --timeout 10 --where 'args[0] == "go"'
	until_listening e
	emit_each "e stay" "e go" "e go"
	end_aioevt
	expect "stdout" "$output" go
}

@test "wait --where: an expression with an error names the column" {
	run_usage wait e --where 'seq == && 1'
	expect "stderr" "$errors" 'aioevt: --where: column 8: expected a value, found "&&"'
	run_usage wait e --where ''
	run_usage wait e --where $'seq == 1 \n x'
	expect "stderr" "$errors" 'aioevt: --where: column 12: expected "&&", "||" or the end, found "x"'
	run_usage wait e --where 'event =~ "["'
	expect_match "stderr" "$errors" 'aioevt: --where: column 10: regular expression: *'
}

@test "wait --or-last takes the newest record that is there" {
	emit_each "a 1" "a 2" "b 3" "b 4"
	run_aioevt wait a --or-last --timeout 0
	expect "stdout" "$output" 2
	run_aioevt wait a b --or-last --timeout 0 --count 2
	expect "stdout" "$output" $'2\n4'
	run_aioevt 124 wait '*' --or-last --timeout 0 --count 9
	expect "stdout" "$output" $'2\n4'
	# The newest, or none.
	run_aioevt 124 wait a --or-last --timeout 0 --where 'args[0] == 1'
	run_aioevt wait a --or-last --timeout 0 --where 'args[0] == 2'
}

@test "wait --or-last waits for the first record if there is none" {
	start_aioevt wait a --or-last --timeout 10
	until_listening a
	emit_each "a 1"
	end_aioevt
	expect "stdout" "$output" 1
}

@test "wait --follow prints each record as it comes, and flushes" {
	start_aioevt wait e 'f.*' --follow --json
	until_listening e
	emit_each "e 1"
	until_true grep -q '"args":\[1\]' "$OUT.bg"
	emit_each "f.x 2" "f.y 3" "e 4"
	until_true grep -q '"args":\[4\]' "$OUT.bg"
	expect "args" "$(jq -c '.args[0]' "$OUT.bg" | tr '\n' ' ')" "1 2 3 4 "
	kill "$BACKGROUND"
	end_aioevt 143
}

@test "wait --follow --count ends after so many; with --timeout each has that time" {
	emit_each "e 1" "e 2" "e 3"
	run_aioevt wait e --after 0 --follow --count 2
	expect "stdout" "$output" $'1\n2'
	run_aioevt 124 wait e --after 0 --follow --timeout 0
	expect "stdout" "$output" $'1\n2\n3'
	# Longer in all than for each.
	start_aioevt wait x --follow --timeout 2
	until_listening x
	local start=$SECONDS n=0
	while kill -0 "$BACKGROUND" 2>/dev/null && ((SECONDS - start < 3)); do
		run_aioevt emit x "$n"
		n=$((n + 1))
	done
	[ "$((SECONDS - start))" -ge 3 ]
	end_aioevt 124
	expect "records" "$(wc -l <<<"$output")" "$n"
	# Without --follow it is the time for all of them.
	start_aioevt wait x --count 1000000 --timeout 1
	until_true has_listeners x 1
	start=$SECONDS
	while kill -0 "$BACKGROUND" 2>/dev/null && ((SECONDS - start < 15)); do
		run_aioevt emit x "$n"
	done
	[ "$((SECONDS - start))" -lt 15 ]
	end_aioevt 124
}

@test "wait --follow passes any name and payload" {
	local name=$'a"b$(touch;x)\'`id`.-\xc3\xa9' large=$BATS_TEST_TMPDIR/large

	head -c 16777000 /dev/zero | tr '\0' z >"$large"
	run_aioevt emit --stdin -- "$name" <"$large"
	run_aioevt emit --json '{"args":["\u0000a\n\"\u0027$(x)"],"kwargs":{"":"\n"}}' -- "$name"
	run_aioevt emit -- "$name" $'\xff\xfe'
	run_aioevt 124 wait '>' --after 0 --follow --timeout 0 --json
	expect "event" "$(jq -r .event "$OUT" | sort -u)" "$name"
	expect "size" "$(jq '.args[0] | length' "$OUT" | head -n 1)" 16777000
	expect "data" "$(jq -c '[.args, .kwargs]' "$OUT" | tail -n 2)" \
		'[["\u0000a\n\"'"'"'$(x)"],{"":"\n"}]
[[{"$bytes":"//4="}],{}]'
	run_aioevt wait "$name" --after 0 --timeout 10 --where 'args[0] =~ "^zz"'
	expect "size" "$(wc -c <"$OUT")" 16777001
	run_aioevt wait "$name" --after 0 --timeout 10 --print-seq --format shell \
		--where 'seq == 2 && args[0] =~ "a.\"" && args[0] != "a" && kwargs[""] == "\n"'
	expect_match "stdout" "$output" "*AIOEVT_SEQ=2*"
	run_aioevt wait "$name" --after 0 --timeout 10 --where 'args[0] == "\xff\xfe"'
	expect "size" "$(wc -c <"$OUT")" 3
}

@test "wait: a reader who goes ends --follow quietly" {
	emit_each "e 1" "e 2" "e 3"
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec 7<>"$BATS_TEST_TMPDIR/pipe"
	exec 8>"$BATS_TEST_TMPDIR/pipe"
	exec 7<&-
	timeout 20 "$AIOEVT" wait e --follow --after 0 >&8 2>"$ERR" 3>&- 8>&- && status=0 || status=$?
	exec 8>&-
	expect "status" "$status" 1
	expect "stderr" "$(cat "$ERR")" ""
}

@test "wait: a full disk ends --follow with a line" {
	emit_each "e 1"
	timeout 20 "$AIOEVT" wait e --follow --after 0 >/dev/full 2>"$ERR" 3>&- && status=0 || status=$?
	expect "status" "$status" 1
	expect_match "stderr" "$(cat "$ERR")" "aioevt: standard output: *"
}

@test "wait: the options go in any order, also behind NAME, and COMMAND with all of them" {
	local cursor=$BATS_TEST_TMPDIR/cursor i

	for i in 1 2; do
		# shellcheck disable=SC2016
		run_aioevt wait --json e --where 'args[0] > 1' --cursor-file "$cursor" f --all \
			--timeout 10 --count 2 --strict --while-alive $$ --or-last -- \
			sh -c 'for i in 1 2 3; do "$0" emit e $i; "$0" emit f $i; done' "$AIOEVT"
		expect "args" "$(jq -c '.args[0]' "$OUT" | sort | tr '\n' ' ')" "2 2 3 3 "
	done
	run_aioevt wait --follow --count 1 e -t 10 -- "$AIOEVT" emit e x
	expect "stdout" "$output" x
	run_aioevt 7 wait --follow e -- sh -c 'exit 7'
	# shellcheck disable=SC2016
	run_aioevt 7 wait --follow e -- sh -c '"$0" emit e 1; "$0" emit e 2; exit 7' "$AIOEVT"
	expect "stdout" "$output" $'1\n2'
}

@test "64: options of wait that do not go together, and values out of range" {
	run_usage wait e --any --all
	expect_match "stderr" "$errors" '*--any beside --all'
	run_usage wait e --after 1 --or-last
	run_usage wait e --after 1 --cursor-file x
	run_usage wait e --follow --all
	run_usage wait e --count 0
	expect_match "stderr" "$errors" '*--count "0": too small, not from 1 to 9223372036854775807'
	run_usage wait e --count 1x
	run_usage wait e --count -1
	run_usage wait e --while-alive 0
	run_usage wait e --while-alive -5
	run_usage wait e --while-alive x
	run_usage wait e --while-alive 99999999999
	run_usage wait e --ready-fd x
	run_usage wait e --ready-fd -1
	run_usage wait e --ready-fd 1
	run_usage wait e --ready-fd 2
	run_usage wait e --ready-fd 47
	expect_match "stderr" "$errors" '*--ready-fd "47": not open for writing'
	run_usage wait e --ready-fd 8 8</dev/null
}
