#!/usr/bin/env bats
# aioevt get: the last values that are held, and nothing that it would leave or wait for.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# Emit the numbers from $2 to $3 to the event $1.
emit_numbers() {
	local i

	for ((i = $2; i <= $3; i++)); do
		"$AIOEVT" emit "$1" "$i" 3>&-
	done
}

# expect_none NAME: status 2, one line, nothing printed
expect_none() {
	run_aioevt 2 get "$1"
	expect "stdout" "$output" ""
	expect "stderr" "$errors" "aioevt: event \"$1\": no record is held"
}

@test "get prints the last value" {
	run_aioevt emit e old
	run_aioevt emit e 'two words' 5 key=value
	run_aioevt get e
	expect "stdout" "$output" $'two words\n5\nkey=value'
	expect "stderr" "$errors" ""
}

@test "get prints in each format" {
	run_aioevt emit e a k=1
	run_aioevt get e --json
	expect_match "stdout" "$output" \
		'{"event":"e","seq":1,"time":*,"args":\["a"\],"kwargs":{"k":1},"missed":0}'
	run_aioevt get --format shell e
	expect_match "stdout" "$output" "*AIOEVT_ARG_0='a'*AIOEVT_KW_k='1'*"
	run_aioevt get e --print-seq
	expect "stdout" "$output" $'1\na\nk=1'
}

@test "get --n prints the last N, the oldest of them first" {
	emit_numbers e 1 5
	run_aioevt get e -n 3
	expect "stdout" "$output" $'3\n4\n5'
	run_aioevt get --n=5 e
	expect "stdout" "$output" $'1\n2\n3\n4\n5'
	run_aioevt get e --n 1
	expect "stdout" "$output" 5
}

@test "get --n prints what is held, if that is less, without a word about the rest" {
	run_aioevt create --depth 8
	emit_numbers e 1 20
	run_aioevt get e -n 1000000
	expect "stdout" "$output" "$(seq 13 20)"
	expect "stderr" "$errors" ""
	run_aioevt get e -n 1000000 --json
	expect "missed" "$(jq -s 'map(.missed) | add' <<<"$output")" 0
	# What was held before the event was made deeper counts too.
	run_aioevt create e --depth 32
	emit_numbers e 21 30
	run_aioevt get e -n 12
	expect "stdout" "$output" "$(seq 19 30)"
}

@test "get: no record; neither the bus nor the event comes into being" {
	expect_none e
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
	run_aioevt emit other
	expect_none e
	run_aioevt list
	expect "events" "$(awk 'NR > 1 { print $1 }' <<<"$output")" other
	# An event that somebody waits for, and one that was removed.
	run_aioevt 124 wait e --timeout 0
	expect_none e
	run_aioevt rm other
	expect_none other
	run_aioevt list
	expect "events" "$(awk 'NR > 1 { print $1 }' <<<"$output")" e
	run_aioevt 2 get 'x.>' --json
	expect "stdout" "$output" ""
	expect "stderr" "$errors" 'aioevt: no event under "x.>" has a record that is held'
}

@test "get of a pattern prints the last of each event, sorted by name" {
	local i

	for i in job.b job.a other job.c; do
		emit_numbers "$i" 1 2
	done
	run_aioevt 124 wait job.none --timeout 0
	run_aioevt get 'job.*' --json
	expect "stdout" "$(jq -c '[.event, .args[0]]' <<<"$output")" '["job.a",2]
["job.b",2]
["job.c",2]'
	run_aioevt get '>' -n 2 --json
	expect "stdout" "$(jq -r '.event + " \(.seq)"' <<<"$output")" 'job.a 1
job.a 2
job.b 1
job.b 2
job.c 1
job.c 2
other 1
other 2'
}

@test "get does not wait, and does not disturb who does" {
	start_aioevt wait e --timeout 20
	until_listening e
	expect_none e
	run_aioevt emit e 1
	end_aioevt
	expect "stdout" "$output" 1
	run_aioevt get e
	expect "stdout" "$output" 1
	run_aioevt list --json e
	expect "listeners" "$(jq .listeners <<<"$output")" 0
}

@test "get sees an emission that was due, though nobody listened" {
	run_aioevt emit e now
	run_aioevt emit e --after 50ms later
	sleep 0.1
	run_aioevt get e
	expect "stdout" "$output" later
	run_aioevt get e -n 2
	expect "stdout" "$output" $'now\nlater'
	run_aioevt emit e --after 1h much.later
	run_aioevt get e
	expect "stdout" "$output" later
}

@test "get takes values of any size" {
	head -c 3000000 /dev/zero | tr '\0' y | "$AIOEVT" emit e --stdin 3>&-
	run_aioevt get e
	expect "bytes" "$(wc -c <"$OUT")" 3000001
}

@test "get: usage" {
	run_usage get
	run_usage get a b
	run_usage get 'a b'
	run_usage get a --n 0
	expect "stderr" "$errors" 'aioevt: --n "0": not a number from 1 to 2147483647'
	run_usage get a --n 2147483648
	run_usage get a --n x
	run_usage get a --format xml
}

@test "get: standard output that cannot be written to" {
	run_aioevt emit e
	# shellcheck disable=SC2016
	AIOEVT=$AIOEVT run bash -c '"$AIOEVT" get e --json >/dev/full 3>&-'
	expect "status" "$status" 1
	expect_match "stderr" "$output" "aioevt: standard output: *"
}

@test "get: a bus that cannot be used" {
	run_aioevt emit e
	chmod 666 "$BUS_FILE"
	run_aioevt 7 get e
	chmod 600 "$BUS_FILE"
	head -c 10000 /dev/urandom >"$BUS_FILE"
	run_aioevt 6 get e
}
