#!/usr/bin/env bats
# aioevt emit: --need, --ack, --if-changed. Who acknowledges what: test_emit_ack.c.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# one_line PATTERN: on stderr, and nothing on stdout
one_line() {
	expect "stdout" "$output" "" || return
	expect "lines on stderr" "$(wc -l <"$ERR")" 1 || return
	expect_match "stderr" "$errors" "$1"
}

nothing_emitted() {
	run_aioevt 124 wait "$1" --after 0 --timeout 0
}

@test "emit --need: observers do not count, and list tells how many there are" {
	local watcher

	run_aioevt create e
	start_aioevt watch --timeout 30
	watcher=$BACKGROUND
	until_listening e
	"$AIOEVT" wait e --follow --observe --timeout 30 >/dev/null 3>&- &
	until_listening e 2
	run_aioevt 5 emit e --need 1 --timeout 0
	expect_match "stderr" "$errors" '*0 of 1 listeners were there*'
	run_aioevt list --json e
	expect "both numbers" "$(jq -c '[.listeners, .observers]' "$OUT")" "[2,2]"
	run_aioevt list e
	expect "both numbers" "$(tail -n 1 "$OUT" | awk '{ print $3, $4 }')" "2 2"
	"$AIOEVT" wait e --timeout 30 >"$BATS_TEST_TMPDIR/worker" 3>&- &
	until_listening e 3
	run_aioevt emit e x --need 1 --timeout 0
	wait $!
	expect "worker" "$(cat "$BATS_TEST_TMPDIR/worker")" x
	until_true grep -q x "$OUT.bg"
	kill -KILL %2 "$watcher"
}

@test "emit --need: too few listeners, nothing emitted, status 5" {
	local start

	run_aioevt 5 emit e --need 1 --timeout 0
	one_line 'aioevt: event "e": 0 of 1 listeners were there on '"$(this_bus); nothing was emitted"
	start=$(date +%s%N)
	run_aioevt 5 emit e --need 1 --timeout 200ms
	[ $((($(date +%s%N) - start) / 1000000)) -ge 200 ]
	nothing_emitted e
	start_aioevt wait e --timeout 15
	until_listening e
	run_aioevt 5 emit e --need 2 --timeout 0 x
	one_line 'aioevt: event "e": 1 of 2 listeners were there on '"$(this_bus); nothing was emitted"
	nothing_emitted e
	run_aioevt emit e --need 1 --timeout 0 x
	expect "stderr" "$errors" ""
	end_aioevt
	expect "stdout" "$output" x
}

@test "emit --need waits until they are there, by name or by pattern" {
	local emitter pids=() pid

	"$AIOEVT" emit a.b --need 3 there >"$OUT" 2>"$ERR" 3>&- &
	emitter=$!
	start_aioevt wait a.b --timeout 15
	pids+=("$BACKGROUND")
	start_aioevt wait a.b --timeout 15
	pids+=("$BACKGROUND")
	until_true has_listeners a.b 2
	kill -0 "$emitter"
	nothing_emitted a.b
	start_aioevt wait 'a.*' --timeout 15
	wait "$emitter"
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	end_aioevt
	expect "stdout" "$output" there
	expect "silent" "$(cat "$OUT" "$ERR")" ""
}

# More of them than one who comes could clean up after.
@test "emit --need: who was killed is not there" {
	local pids=() i

	for i in 1 2 3 4 5; do
		start_aioevt wait e --timeout 30
		pids+=("$BACKGROUND")
	done
	until_listening e 5
	kill -KILL "${pids[@]}"
	wait "${pids[@]}" || true
	run_aioevt 5 emit e --need 1 --timeout 0
	one_line '*0 of 1 listeners*'
}

@test "emit --need does not keep the processor busy" {
	local stat ticks pid

	"$AIOEVT" emit e --need 1 3>&- &
	pid=$!
	until_true is_asleep "$pid"
	sleep 1
	stat=$(cat "/proc/$pid/stat")
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	ticks=$((${12} + ${13}))
	kill "$pid"
	wait "$pid" || true
	[ "$ticks" -le 10 ]
}

@test "emit --need with --after, --lines and --from" {
	local pid

	run_aioevt 5 emit e --need 1 --timeout 0 --after 0
	nothing_emitted e
	run_aioevt 5 emit e --need 1 --timeout 0 --lines <<<x
	run_aioevt 5 emit e --need 1 --timeout 0 --from - <<<'{}'
	nothing_emitted e
	start_aioevt wait e --timeout 15
	until_listening e
	run_aioevt emit e --need 1 --timeout 5 --lines <<<x
	end_aioevt
	expect "stdout" "$output" x
	start_aioevt wait e --timeout 15
	until_listening e
	run_aioevt emit e --need 1 --timeout 5 --after 10ms later
	end_aioevt
	expect "stdout" "$output" later
}

@test "emit --ack: nobody is there to do it; it was emitted, status 5" {
	run_aioevt 5 emit e --ack 1 x
	one_line 'aioevt: event "e": record 1 was emitted, and handled by 0 of 1 reliable listeners; no more are left to do it'
	run_aioevt wait e --after 0 --timeout 0
	expect "stdout" "$output" x
	# a lossy listener does not count, neither for --ack nor for --need beside it
	start_aioevt wait f --timeout 15
	until_listening f
	run_aioevt 5 emit f --need 1 --ack 1 --timeout 0
	one_line 'aioevt: event "f": 0 of 1 reliable listeners were there on '"$(this_bus); nothing was emitted"
	run_aioevt 5 emit f --ack 1 --print-seq x
	expect "number" "$output" 1
	end_aioevt
	expect "stdout" "$output" x
}

@test "emit --if-changed: the same data again is not emitted" {
	local i

	for i in 1 2 3; do
		run_aioevt emit e --if-changed 1 x k=2.0
		expect "silent" "$output$errors" ""
	done
	run_aioevt emit e --if-changed --print-seq 1 x k=2.0
	expect "no number" "$output" ""
	# another type, another order, one more, one byte less
	run_aioevt emit e --if-changed --print-seq 1 x k=2
	expect "number" "$output" 2
	run_aioevt emit e --if-changed --print-seq x 1 k=2
	expect "number" "$output" 3
	run_aioevt emit e --if-changed --print-seq x 1 k=2 l=1
	expect "number" "$output" 4
	run_aioevt emit e --if-changed --print-seq x 1
	expect "number" "$output" 5
	run_aioevt emit e --if-changed --print-seq x 1
	expect "number" "$output" ""
	# the last counts, not any
	run_aioevt emit e --if-changed --print-seq 1 x k=2.0
	expect "number" "$output" 6
}

@test "emit --if-changed: no data, much data, standard input" {
	run_aioevt emit e --if-changed --print-seq
	expect "number" "$output" 1
	run_aioevt emit e --if-changed --print-seq
	expect "number" "$output" ""
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/data"
	run_aioevt emit e --if-changed --print-seq --stdin <"$BATS_TEST_TMPDIR/data"
	expect "number" "$output" 2
	run_aioevt emit e --if-changed --print-seq --stdin <"$BATS_TEST_TMPDIR/data"
	expect "number" "$output" ""
	printf x | dd of="$BATS_TEST_TMPDIR/data" bs=1 seek=2999999 conv=notrunc 2>/dev/null
	printf y | dd of="$BATS_TEST_TMPDIR/data" bs=1 seek=10 conv=notrunc 2>/dev/null
	run_aioevt emit e --if-changed --print-seq --stdin <"$BATS_TEST_TMPDIR/data"
	expect "number" "$output" 3
	run_aioevt list --json
	expect_match "no listener is left" "$output" '*"listeners":0,*'
}

@test "emit --need, --ack, --timeout, --if-changed: what is refused" {
	local option value

	for option in --need --ack; do
		for value in 0 -1 x 8193 1.5 ''; do
			run_usage emit e "$option" "$value"
			expect_match "stderr" "$errors" \
				"aioevt: $option \"$value\": *, not from 1 to 8192"
		done
	done
	run_usage emit e --timeout 1
	expect_match "stderr" "$errors" "*--timeout is for --need and --ack*"
	run_usage emit e --need 1 --timeout soon
	run_usage emit e --after 1 --ack 1
	run_usage emit e --after 1 --if-changed
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}
