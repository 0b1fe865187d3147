#!/usr/bin/env bats
# aioevt bench: the form of what it prints, and that it leaves nothing. No speed is asked for.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# No keeper stays stopped when a test failed.
eval "$(declare -f teardown | sed '1s/teardown/teardown_bus/')"
teardown() {
	[ -z "${KEEPER-}" ] || kill -CONT "$KEEPER" || true
	teardown_bus
}

bus_is_there() {
	[ -n "$(ls "$AIOEVT_DIR")" ]
}

bus_is_gone() {
	! bus_is_there
}

none_alive() {
	! kill -0 "$@" 2>/dev/null
}

# Bench in the background until it measures; its processes are in $processes.
start_bench() {
	# What bash starts in the background does not hear SIGINT.
	env --default-signal=INT "$AIOEVT" bench "$@" >"$OUT.bg" 2>"$ERR.bg" 3>&- &
	BACKGROUND=$!
	until_true bus_is_there
	until_true has_three
	processes=$(pgrep -P "$BACKGROUND")
}

has_three() {
	[ "$(pgrep -c -P "$BACKGROUND")" -ge 3 ]
}

# Kill one of those that measure, which go on for half a minute.
kill_one() {
	local keeper

	keeper=$(keeper)
	kill -KILL "$(pgrep -P "$BACKGROUND" | grep -vx "$keeper" | head -n 1)"
}

# Who cleans up, told by its session.
keeper() {
	local i

	for i in $(pgrep -P "$BACKGROUND"); do
		[ "$(ps -o sid= -p "$i" | tr -d ' ')" != "$i" ] || echo "$i"
	done
}

has_only() {
	[ "$(ps --ppid "$BACKGROUND" -o pid=,stat= | awk '$2 !~ /^Z/ { print $1 }')" = "$1" ]
}

# expect_svg FILE: one picture, well-formed, of the form that was promised
expect_svg() {
	xmllint --noout --nonet "$1"
	expect "root" "$(xmllint --xpath 'name(/*)' "$1")" svg
	expect_match "text" "$(cat "$1")" '*<title>aioevt bench*prefers-color-scheme:dark*>Waking*'\
'>aioevt: half within *>bare futex: half within *>share (*>1*s</text>*>time from *'
	expect "percents" "$(grep -cE '>(100|10) %</text>' "$1")" 2
	expect "refers to nothing outside" "$(grep -c 'href\|url(\|<script' "$1")" 0
	expect "numbers" "$(grep -c 'nan\|inf[^o]' "$1")" 0
	[ "$(wc -c <"$1")" -lt 30000 ]
	# Each of both has a shape of its own: it leaves the ground.
	expect "shapes" "$(grep -E -c 'class="(ours|raw)" d="M.*V(7[6-9]|[89][0-9]|[12][0-9]{2})\.' "$1")" 2
}

@test "bench --json: every figure, and a histogram of all that was measured" {
	run_aioevt bench --seconds 1 --json
	expect "stderr" "$errors" ""
	expect "lines" "$(wc -l <"$OUT")" 1
	expect "keys" "$(jq -c keys_unsorted <<<"$output")" '["seconds","processors","emit_ns",'\
'"polling_round_trip_ns","cache_line_round_trip_ns","wake","futex_wake","round_trip",'\
'"futex_round_trip","stream_per_s","histogram"]'
	expect "seconds" "$(jq .seconds <<<"$output")" 1
	expect "processors" "$(jq .processors <<<"$output")" "$(nproc)"
	expect "numbers" "$(jq '.emit_ns > 0 and .stream_per_s > 0' <<<"$output")" true
	expect "polling" "$(jq '[.polling_round_trip_ns, .cache_line_round_trip_ns | . != null and . > 0] |
		all' <<<"$output")" "$([ "$(nproc)" -gt 1 ] && echo true || echo false)"
	expect "in order" "$(jq -c '[.wake, .futex_wake, .round_trip, .futex_round_trip |
		.n > 0 and .p50_ns > 0 and .p50_ns <= .p99_ns and .p99_ns <= .p999_ns and
		.p999_ns <= .max_ns]' <<<"$output")" "[true,true,true,true]"
	expect "in all" "$(jq -c '[(.histogram | map(.wake) | add) == .wake.n,
		(.histogram | map(.futex_wake) | add) == .futex_wake.n]' <<<"$output")" "[true,true]"
	expect "without a gap" "$(jq -c '.histogram | [.[1:], .[:-1]] | transpose |
		all(.[0].from_ns == .[1].to_ns)' <<<"$output")" true
	# Half of them are before the middle.
	expect "p50" "$(jq -c '.wake as $w | [.histogram[] | select(.to_ns <= $w.p50_ns).wake] |
		(add // 0) <= $w.n / 2' <<<"$output")" true
}

@test "bench prints its figures and the histogram on a screen or two, and --svg draws it" {
	echo "an older picture, which is longer than nothing" >"$BATS_TEST_TMPDIR/a.svg"
	run_aioevt bench --seconds 1 --svg "$BATS_TEST_TMPDIR/a.svg"
	expect "stderr" "$errors" ""
	expect_match "stdout" "$output" '1 s on *aioevt*machine*ratio*
Emit, nobody listens * ns*
To a process that sleeps *p50 *s *s *futex
*
There and back, both asleep *p50 *s *s *futex
*
A stream to one reliable reader * million records a second

Waking a process that sleeps*
*from*to*aioevt*futex
*%  #*%*'
	expect "p99.9 and max" "$(grep -cE '^ +(p99|p99.9|max) .*s .*s +[0-9.]+$' <<<"$output")" 6
	[ "$(wc -l <<<"$output")" -le 48 ]
	[ "$(wc -L <<<"$output")" -le 80 ]
	expect_svg "$BATS_TEST_TMPDIR/a.svg"
}

@test "bench --svg - prints the picture alone" {
	run_aioevt bench --seconds 1 --svg -
	expect "stderr" "$errors" ""
	expect_svg "$OUT"
}

@test "bench on one processor does not poll" {
	taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" \
		timeout -s KILL 30 "$AIOEVT" bench --seconds 1 --json >"$OUT" 2>"$ERR" 3>&-
	expect "stderr" "$(cat "$ERR")" ""
	expect "figures" "$(jq -c '[.processors, .polling_round_trip_ns, .cache_line_round_trip_ns,
		.wake.n > 0, .round_trip.n > 0, .stream_per_s > 0]' "$OUT")" \
		'[1,null,null,true,true,true]'
}

@test "bench --svg FILE that cannot be written is refused before anything is measured" {
	local i start=$SECONDS

	for i in "$BATS_TEST_TMPDIR/no/such/a.svg" "$BATS_TEST_TMPDIR" ""; do
		run_aioevt 1 bench --seconds 600 --svg "$i"
		expect "stdout" "$output" ""
		expect_match "stderr" "$errors" "aioevt: --svg \"$i\": *"
		expect "lines" "$(wc -l <"$ERR")" 1
	done
	[ $((SECONDS - start)) -lt 60 ]
	run_aioevt 1 bench --seconds 1 --svg /dev/full
	expect "stderr" "$errors" 'aioevt: --svg "/dev/full": No space left on device'
}

@test "bench that is interrupted leaves nothing, and no half of a picture" {
	local svg=$BATS_TEST_TMPDIR/new.svg old=$BATS_TEST_TMPDIR/old.svg

	start_bench --seconds 600 --svg "$svg"
	kill -INT "$BACKGROUND"
	end_aioevt 130
	expect "output" "$output$errors" ""
	expect "bus" "$(ls "$AIOEVT_DIR")" ""
	# shellcheck disable=SC2086
	until_true none_alive $processes
	[ ! -e "$svg" ]

	echo old >"$old"
	start_bench --seconds 600 --svg "$old"
	KEEPER=$(keeper)
	kill -STOP "$KEEPER"
	kill -TERM "$BACKGROUND"
	# It ends when all is clean, not before.
	until_true has_only "$KEEPER"
	kill -CONT "$KEEPER"
	KEEPER=
	end_aioevt 143
	expect "bus" "$(ls "$AIOEVT_DIR")" ""
	expect "picture" "$(cat "$old")" old

	start_bench --seconds 600 --svg "$svg"
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	until_true bus_is_gone
	until_true test ! -e "$svg"
	# shellcheck disable=SC2086
	until_true none_alive $processes
}

@test "bench whose process fails says so and leaves nothing" {
	local svg=$BATS_TEST_TMPDIR/new.svg

	start_bench --seconds 600 --svg "$svg"
	kill_one
	until_true none_alive "$BACKGROUND"
	end_aioevt 1
	expect "stderr" "$errors" "aioevt: a process that measures was ended by signal 9"
	expect "bus" "$(ls "$AIOEVT_DIR")" ""
	[ ! -e "$svg" ]
	# shellcheck disable=SC2086
	until_true none_alive $processes
}

@test "bench refuses what it cannot do" {
	local i

	for i in 0 -1 601 1.5 x ''; do
		run_usage bench --seconds "$i"
		expect_match "stderr" "$errors" "aioevt: --seconds \"$i\": *600"
	done
	run_usage bench e
	run_usage bench --bus other
	run_usage --bus other bench
	run_usage bench --group 0
	run_usage bench --json --svg -
	AIOEVT_DIR=$AIOEVT_DIR/none run_aioevt 1 bench --seconds 1
	expect "lines" "$(wc -l <"$ERR")" 1
}
