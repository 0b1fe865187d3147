#!/usr/bin/env bats
# aioevt wait: which record it takes, how it prints it, and what becomes of COMMAND.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

@test "wait is woken by an emit" {
	start_aioevt wait e --timeout 10
	until_listening e
	run_aioevt emit e hello
	end_aioevt
	expect "stdout" "$output" "hello"
	expect "stderr" "$errors" ""
}

@test "wait does not take what was emitted before" {
	run_aioevt emit e old
	run_aioevt 124 wait e --timeout 10ms
	start_aioevt wait e --timeout 10
	until_listening e
	run_aioevt emit e new
	end_aioevt
	expect "stdout" "$output" "new"
}

@test "wait leaves no listener behind" {
	run_aioevt 124 wait e --timeout 0
	run_aioevt list --json
	expect_match "listeners" "$output" '*"listeners":0,*'
}

@test "all who wait get the event" {
	local i pids=()

	for i in 1 2 3; do
		start_aioevt wait e --timeout 10
		pids+=("$BACKGROUND")
	done
	until_listening e 3
	run_aioevt emit e
	for i in "${pids[@]}"; do
		wait "$i"
	done
}

@test "wait prints plain: text as it is, other types as JSON, then key=value" {
	run_aioevt emit e 'two words' 5 -2.5 true null ':=[1,"a"]' key=text n=1 'm:={"a":"b"}'
	run_aioevt wait e --after 0 --timeout 0
	expect "stdout" "$output" 'two words
5
-2.5
true
null
[1,"a"]
m={"a":"b"}
n=1
key=text'
	run_aioevt emit e $'a\nb' $'\xff'
	run_aioevt wait e --after 1 --timeout 0 --format plain
	expect "stdout" "$output" $'a\nb\n\xff'
}

@test "wait --json prints one object on one line" {
	local json='{"event":"e","seq":2,"time":#,"args":[1,"a\nb"],"kwargs":{"k":2.0},"missed":0}'

	run_aioevt emit e
	run_aioevt emit e 1 $'a\nb' k=2.0
	run_aioevt wait e --after 1 --timeout 0 --json
	expect "lines" "$(wc -l <"$OUT")" 1
	expect "stdout" "$(sed 's/"time":[0-9]\{19\},/"time":#,/' <<<"$output")" "$json"
	run_aioevt wait e --after 1 --timeout 0 --format json
	expect "stdout" "$(sed 's/"time":[0-9]\{19\},/"time":#,/' <<<"$output")" "$json"
}

@test "the time of a record is the clock's" {
	local before after time

	before=$(date +%s%N)
	run_aioevt emit e
	after=$(date +%s%N)
	run_aioevt wait e --after 0 --timeout 0 --json
	time=$(sed 's/.*"time":\([0-9]*\),.*/\1/' <<<"$output")
	[ "$time" -ge "$before" ]
	[ "$time" -le "$after" ]
}

@test "wait --format shell prints what eval takes" {
	local nasty=$'it\'s "$(touch x)" `id` \\ ; & \n*\t~ \xff' i

	for i in bash dash sh; do
		command -v "$i" >/dev/null || continue
		rm -f "$BUS_FILE"
		run_aioevt emit a.b "$nasty" 5 ':=[1,"x y"]' k="$nasty" n_2=null
		run_aioevt wait a.b --after 0 --timeout 0 --format shell
		cat >"$BATS_TEST_TMPDIR/script" <<-'END'
			eval "$1"
			printf '%s|' "$AIOEVT_EVENT" "$AIOEVT_SEQ" "$AIOEVT_MISSED" \
				"$AIOEVT_NARGS" "$AIOEVT_ARG_0" "$AIOEVT_ARG_1" \
				"$AIOEVT_ARG_2" "$AIOEVT_KW_k" "$AIOEVT_KW_n_2" \
				"$AIOEVT_KEYS" "$AIOEVT_NUL"
		END
		expect "$i" "$("$i" "$BATS_TEST_TMPDIR/script" "$output")" \
			"a.b|1|0|3|$nasty|5|[1,\"x y\"]|$nasty|null|AIOEVT_KW_k AIOEVT_KW_n_2||"
	done
}

@test "wait --format shell names the variables of odd keys and of NULs" {
	run_aioevt emit e --json '{"args":["a\u0000b",{"$bytes":"AP8="},"c"],
		"kwargs":{"a-b":1,"a_b":2,"x;id":"\u0000","a_2Db":3,"":4,"ä":5}}'
	run_aioevt wait e --after 0 --timeout 0 --format shell
	expect "stdout" "$(sed 1,4d <<<"$output")" 'AIOEVT_NARGS=3
AIOEVT_ARG_0='\''"a\u0000b"'\''
AIOEVT_ARG_1='\''{"$bytes":"AP8="}'\''
AIOEVT_ARG_2='\''c'\''
AIOEVT_KX_='\''4'\''
AIOEVT_KX__C3_A4='\''5'\''
AIOEVT_KX_a_2Db='\''1'\''
AIOEVT_KW_a_b='\''2'\''
AIOEVT_KX_x_3Bid='\''"\u0000"'\''
AIOEVT_KW_a_2Db='\''3'\''
AIOEVT_KEYS='\''AIOEVT_KX_ AIOEVT_KX__C3_A4 AIOEVT_KX_a_2Db AIOEVT_KW_a_b AIOEVT_KX_x_3Bid AIOEVT_KW_a_2Db'\''
AIOEVT_NUL='\''AIOEVT_ARG_0 AIOEVT_ARG_1 AIOEVT_KX_x_3Bid'\'
}

@test "wait --print-seq prints the number first" {
	run_aioevt emit e
	run_aioevt emit e x
	run_aioevt wait e --after 1 --timeout 0 --print-seq
	expect "stdout" "$output" $'2\nx'
	run_aioevt wait e --after 1 --timeout 0 --print-seq --format shell
	expect "stdout" "$(head -n 2 <<<"$output")" $'AIOEVT_EVENT=\'e\'\nAIOEVT_SEQ=2'
}

@test "wait --after walks through the records" {
	local i

	for i in 1 2 3; do
		run_aioevt emit e "$i"
	done
	for i in 1 2 3; do
		run_aioevt wait e --after $((i - 1)) --timeout 0 --print-seq
		expect "stdout" "$output" "$i"$'\n'"$i"
	done
	run_aioevt 124 wait e --after 3 --timeout 0
	start_aioevt wait e --after 3 --timeout 10
	until_listening e
	run_aioevt emit e 4
	end_aioevt
	expect "stdout" "$output" 4
}

@test "wait for any of several" {
	start_aioevt wait a b c --timeout 10 --json
	until_listening c
	run_aioevt emit b x
	end_aioevt
	expect_match "stdout" "$output" '{"event":"b","seq":1,*'
}

@test "wait takes the oldest of several that are ready" {
	run_aioevt emit b
	run_aioevt emit c
	run_aioevt emit a
	run_aioevt emit b
	run_aioevt wait a b c --after 0 --timeout 0 --json
	expect_match "stdout" "$output" '{"event":"b","seq":1,*'
	run_aioevt wait '>' --after 0 --timeout 0 --json
	expect_match "stdout" "$output" '{"event":"b","seq":1,*'
	run_aioevt wait a c --after 0 --timeout 0 --json
	expect_match "stdout" "$output" '{"event":"c","seq":1,*'
	run_aioevt wait a b c --after 1 --timeout 0 --json
	expect_match "stdout" "$output" '{"event":"b","seq":2,*'
}

@test "wait for a pattern hears events that are new" {
	start_aioevt wait 'job.*.done' first --timeout 10 --json
	until_listening first
	run_aioevt emit job.done
	run_aioevt emit job.1.started
	run_aioevt emit job.17.done x
	end_aioevt
	expect_match "stdout" "$output" '{"event":"job.17.done","seq":1,*"args":\["x"\]*'
}

@test "wait with --after and a pattern leaves out older numbers of new events" {
	start_aioevt wait 'n.>' first --after 1 --timeout 10 --print-seq
	until_listening first
	run_aioevt emit n.x one
	run_aioevt emit n.x two
	end_aioevt
	expect "stdout" "$output" $'2\ntwo'
}

@test "wait takes the same name twice" {
	run_aioevt emit e x
	run_aioevt wait e e --after 0 --timeout 0
	expect "stdout" "$output" x
}

@test "wait takes records of any size" {
	run_aioevt emit e --stdin < <(head -c 3000000 /dev/zero | tr '\0' y)
	run_aioevt wait e --after 0 --timeout 0
	expect "bytes" "$(wc -c <"$OUT")" 3000001
}

@test "wait --timeout gives up in time, silently" {
	local start=$EPOCHREALTIME i

	for i in 0 1ms 0.02 20ms .02s 0.0005m; do
		run_aioevt 124 wait e --timeout "$i"
		expect "output" "$output$errors" ""
	done
	[ $((${EPOCHREALTIME/./} - ${start/./})) -ge 91000 ]
}

@test "wait -- COMMAND misses nothing that COMMAND emits" {
	local i

	for i in 1 2 3 4 5; do
		run_aioevt wait e --timeout 10 -- "$AIOEVT" emit e "$i"
		expect "stdout" "$output" "$i"
	done
}

@test "wait -- COMMAND waits on when COMMAND succeeded" {
	start_aioevt wait e --timeout 10 -- touch "$BATS_TEST_TMPDIR/ran"
	until_true test -e "$BATS_TEST_TMPDIR/ran"
	run_aioevt emit e later
	end_aioevt
	expect "stdout" "$output" later
	run_aioevt 124 wait e --timeout 20ms -- true
}

@test "wait -- COMMAND ends with COMMAND's status if it fails first" {
	run_aioevt 3 wait e --timeout 10 -- sh -c 'exit 3'
	expect "output" "$output$errors" ""
	run_aioevt 137 wait e -- sh -c 'kill -KILL $$'
}

@test "wait -- COMMAND leaves nothing behind when COMMAND fails" {
	local i

	for i in X '>' 'X Y a.*'; do
		# shellcheck disable=SC2086
		set -f -- $i
		run_aioevt 1 wait "$@" --timeout 10 -- false
		set +f
		run_aioevt list --json X
		expect "listeners" "$(jq .listeners <<<"$output")" 0
	done
}

@test "wait -- COMMAND that fails leaves the bus that took a removed one's place" {
	# shellcheck disable=SC2016
	run_aioevt 3 wait e --timeout 10 -- sh -c 'rm "$0"; "$1" emit other
		until "$1" list --json e | grep -q "\"listeners\":1"; do :; done; exit 3' \
		"$BUS_FILE" "$AIOEVT"
	run_aioevt list --json
	expect "listeners" "$(jq -c '[.event, .listeners]' <<<"$output")" '["e",0]
["other",0]'
}

@test "wait -- COMMAND: an event before the failure counts" {
	local i

	for i in 1 2 3 4 5 6 7 8 9 10; do
		run_aioevt wait e --timeout 10 -- sh -c '"$0" emit e "$1"; exit 5' "$AIOEVT" "$i"
		expect "stdout" "$output" "$i"
	done
}

@test "wait -- COMMAND: an event before the failure counts, however much there is to look at" {
	local i

	for ((i = 0; i < 100; i++)); do
		"$AIOEVT" emit "job.$i" 3>&-
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		# shellcheck disable=SC2016
		run_aioevt wait 'job.>' '*.done' e --timeout 10 -- \
			sh -c '"$0" emit "$1.done" "$1"; exit 5' "$AIOEVT" "$i"
		expect "stdout" "$output" "$i"
	done
}

@test "wait -- COMMAND ends when the event comes, and COMMAND goes on" {
	local go=$BATS_TEST_TMPDIR/go

	mkfifo "$go"
	run_aioevt wait e --timeout 10 -- \
		sh -c '"$0" emit e x; exec >/dev/null; read -r line <"$1"; touch "$1.done"' \
		"$AIOEVT" "$go"
	expect "stdout" "$output" x
	echo line >"$go"
	until_true test -e "$go.done"
}

@test "wait -- COMMAND leaves COMMAND running when the time is up" {
	local go=$BATS_TEST_TMPDIR/go

	mkfifo "$go"
	run_aioevt 124 wait e --timeout 20ms -- \
		sh -c 'exec >/dev/null; read -r line <"$0"; touch "$0.done"' "$go"
	echo line >"$go"
	until_true test -e "$go.done"
}

@test "wait passes COMMAND its words and streams" {
	run_aioevt 124 wait e --timeout 0.5 -- printf '%s|' --json -b '' -- 'a b' <<<""
	expect "stdout" "$output" '--json|-b||--|a b|'
	run_aioevt 9 wait e -- sh -c 'cat; exit 9' <<<"input"
	expect "stdout" "$output" input
}

@test "wait goes on with the bus that takes a removed one's place" {
	start_aioevt wait e --timeout 15
	until_listening e
	rm "$BUS_FILE"
	run_aioevt emit e again
	end_aioevt
	expect "stdout" "$output" again
}
