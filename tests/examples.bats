#!/usr/bin/env bats
# lib/examples: each ends by itself, prints what it is meant to, and leaves nothing.
# SPDX-License-Identifier: MIT
# bats file_tags=lib
load helpers

# run_example NAME EXPECTED
run_example() {
	local status=0

	timeout -s KILL 20 "${AIOEVT%/*}/examples/$1" >"$OUT" 2>"$ERR" 3>&- || status=$?
	expect "stderr" "$(cat "$ERR")" ""
	expect "stdout" "$(cat "$OUT")" "$2"
	expect "status" "$status" 0
}

@test "threads: sums from a loop in another thread" {
	run_example threads '1 + 10 = 11
2 + 20 = 22
3 + 30 = 33'
}

@test "two-processes: questions and answers, twice on one bus" {
	local squares='5 squared is 25
6 squared is 36
7 squared is 49'

	run_example two-processes "$squares"
	run_example two-processes "$squares"
	run_aioevt list --json
	expect "listeners left" "$(jq -s 'map(.listeners) | add' "$OUT")" 0
	run_aioevt wait answer --after 0 --timeout 0
	expect "first answer" "$output" '25
question=5'
}

@test "libuv: progress of work in other threads" {
	run_example libuv "0 % of the work, in the loop's thread
50 % of the work, in the loop's thread
100 % of the work, in the loop's thread"
}

@test "glib: what a thread finds" {
	run_example glib 'found.prime 2
found.prime 3
found.prime 5
found.prime 7
found.prime 11'
}

@test "worker-pool: every job is done once" {
	run_example worker-pool '20 jobs by 4 workers: 2870'
}

@test "epoll: beside a timer" {
	run_example epoll 'tick 1
tick 2
tick 3'
}

@test "only the examples of adapters need other libraries" {
	local name libraries

	for name in threads two-processes worker-pool epoll; do
		libraries=$(objdump -p "${AIOEVT%/*}/examples/$name" | awk '$1 == "NEEDED" { print $2 }')
		expect "$name" "$(grep -v '^lib\(aioevt-shm\|c\|asan\|ubsan\|tsan\)\.' <<<"$libraries")" ""
	done
}
