#!/usr/bin/env bats
# aioevt wait: who is told that it listens, what ends it, and what it leaves behind.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# A process to be watched: PID.
start_process() {
	sleep 1000 3>&- &
	PID=$!
}

has_threads() {
	[ "$(ls "/proc/$1/task" | wc -l)" -gt 1 ]
}

is_zombie() {
	local stat

	read -r stat <"/proc/$1/stat" || return
	[[ $stat == *') Z '* ]]
}

@test "wait --ready-fd: COMMAND does not have it, and runs after it" {
	local fifo=$BATS_TEST_TMPDIR/ready

	mkfifo "$fifo"
	exec 8<>"$fifo"
	# shellcheck disable=SC2016
	run_aioevt 5 wait e --timeout 15 --ready-fd 9 9>"$fifo" -- \
		sh -c 'read -r line <&8 && [ ! -e /proc/$$/fd/9 ] && exit 5'
	exec 8>&-
}

@test "wait --while-alive ends when the process does, with status 4" {
	start_process
	start_aioevt wait e --while-alive "$PID" --timeout 60
	until_listening e
	kill -KILL "$PID"
	end_aioevt 4
	expect "output" "$output$errors" ""
	run_aioevt list --json
	expect "listeners" "$(jq .listeners <<<"$output")" 0
}

@test "wait --while-alive: a process that has ended already" {
	start_process
	kill -KILL "$PID"
	wait "$PID" 2>/dev/null || true
	run_aioevt 4 wait e --while-alive "$PID"
	expect "output" "$output$errors" ""
	run_aioevt emit e 1
	run_aioevt emit e 2
	run_aioevt wait e --after 0 --while-alive "$PID"
	expect "stdout" "$output" 1
	run_aioevt 4 wait e --after 0 --while-alive "$PID" --follow
	expect "stdout" "$output" $'1\n2'
	run_aioevt 4 wait e '*' --or-last --while-alive "$PID" --count 2
	expect "stdout" "$output" 2
}

@test "wait --while-alive: a zombie has ended" {
	local pid

	# shellcheck disable=SC2016
	sh -c 'sleep 1000 & echo $! >"$0"; exec sleep 1000' "$BATS_TEST_TMPDIR/pid" 3>&- &
	until_true test -s "$BATS_TEST_TMPDIR/pid"
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	# Its parent is one who does not ask for its status.
	until_true grep -qx sleep "/proc/$!/comm"
	kill -KILL "$pid"
	until_true is_zombie "$pid"
	run_aioevt 4 wait e --while-alive "$pid"
	kill -KILL $!
}

@test "wait --while-alive: the event comes first, also before the process ends unseen" {
	local i

	for i in 1 2 3 4 5; do
		start_process
		start_aioevt wait e --while-alive "$PID" --timeout 60
		until_listening e
		kill -STOP "$BACKGROUND"
		run_aioevt emit e "$i"
		kill -KILL "$PID"
		wait "$PID" 2>/dev/null || true
		kill -CONT "$BACKGROUND"
		end_aioevt
		expect "stdout" "$output" "$i"
	done
}

@test "wait --while-alive goes on while it lives, and with COMMAND" {
	start_process
	run_aioevt 124 wait e --while-alive "$PID" --timeout 20ms
	run_aioevt wait e --while-alive "$PID" --timeout 15 -- "$AIOEVT" emit e x
	expect "stdout" "$output" x
	run_aioevt 9 wait e --while-alive "$PID" -- sh -c 'exit 9'
	# shellcheck disable=SC2016
	run_aioevt 4 wait e --while-alive "$PID" -- sh -c 'kill -KILL "$0"; exec sleep 0' "$PID"
}

@test "wait --while-alive: somebody else's process, and a thread" {
	local as=() thread

	if [ "$(id -u)" -eq 0 ]; then
		as=(setpriv --reuid 12345 --regid 12345 --clear-groups)
		"${as[@]}" "$AIOEVT" --version 3>&- >/dev/null || skip "cannot run it as another user"
	fi
	chmod 777 "$AIOEVT_DIR"
	start_process
	status=0
	AIOEVT_BUS=other timeout 20 "${as[@]}" "$AIOEVT" wait e --while-alive "$PID" --timeout 20ms \
		>"$OUT" 2>"$ERR" 3>&- || status=$?
	rm -f "$AIOEVT_DIR"/*.other
	expect "status" "$status" 124
	# COMMAND is watched by a second thread.
	start_aioevt wait e --timeout 60 -- sleep 1000
	until_true has_threads "$BACKGROUND"
	thread=$(ls "/proc/$BACKGROUND/task" | grep -vx "$BACKGROUND")
	run_usage wait e --while-alive "$thread"
	expect "stderr" "$errors" "aioevt: --while-alive \"$thread\": a thread, not a process"
	pkill -P "$BACKGROUND"
	end_aioevt 143
	kill -KILL "$PID"
}

@test "wait is ended by signals as others are, and leaves nothing" {
	local i dir=$BATS_TEST_TMPDIR/files

	mkdir "$dir"
	for i in INT TERM HUP; do
		for options in "" "--follow --count 7" "--cursor-file $dir/cursor --while-alive $$"; do
			# An asynchronous command of a shell without job control ignores SIGINT.
			# shellcheck disable=SC2086,SC2016
			env --default-signal=INT,TERM,HUP "$AIOEVT" wait e 'p.>' $options \
				>"$OUT.bg" 2>"$ERR.bg" 3>&- &
			BACKGROUND=$!
			until_listening e
			kill -"$i" "$BACKGROUND"
			end_aioevt $((128 + $(kill -l "$i")))
			expect "stderr" "$errors" ""
		done
	done
	expect "files" "$(ls -A "$dir")" cursor
	run_aioevt 124 wait e --timeout 0
	run_aioevt list --json e
	expect "listeners" "$(jq .listeners <<<"$output")" 0
}

@test "wait for more than one record ends when the reader of its output goes" {
	local i

	for i in "--follow" "--count 2" "--all other"; do
		mkfifo "$BATS_TEST_TMPDIR/pipe"
		# shellcheck disable=SC2086
		"$AIOEVT" wait $i e --timeout 60 >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR.bg" </dev/null 3>&- &
		BACKGROUND=$!
		exec 7<"$BATS_TEST_TMPDIR/pipe"
		until_listening e
		run_aioevt emit e x
		read -r -u 7 line
		expect "line" "$line" "x"
		exec 7<&-
		: >"$OUT.bg"
		end_aioevt 1
		expect "$i: stderr" "$errors" ""
		rm "$BATS_TEST_TMPDIR/pipe"
	done
}

@test "wait --cursor-file: killed at any time, the file is whole" {
	local dir=$BATS_TEST_TMPDIR/files i last=0

	mkdir "$dir"
	run_aioevt 124 wait e --timeout 0 --cursor-file "$dir/cursor"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		env --default-signal=INT "$AIOEVT" wait e --cursor-file "$dir/cursor" --follow \
			>>"$OUT.bg" 2>"$ERR.bg" 3>&- &
		BACKGROUND=$!
		run_aioevt emit e "$i"
		until_true grep -qx "$((last + 1))" "$OUT.bg"
		kill -INT "$BACKGROUND"
		end_aioevt 130
		expect "files" "$(ls -A "$dir")" cursor
		[[ $(cat "$dir/cursor") =~ ^[0-9]+\ e(\ [0-9]+)?$ ]]
		last=$i
	done
	run_aioevt 124 wait e --cursor-file "$dir/cursor" --follow --timeout 0
	expect "each came" "$(cat "$OUT.bg" "$OUT" | sort -nu | tr '\n' ' ')" \
		"1 2 3 4 5 6 7 8 9 10 11 12 "
}

@test "wait --strict: 3 if records were missed, also when it gives up" {
	run_aioevt emit e 1
	run_aioevt emit e 2
	run_aioevt rm e
	run_aioevt emit e 3
	run_aioevt 3 wait e --after 1 --timeout 0 --strict
	expect "stdout" "$output" 3
	expect_match "stderr" "$errors" 'aioevt: event "e": 1 records before number 3 were missed'
	run_aioevt 3 wait e --after 1 --timeout 0 --strict --json --follow
	expect "missed" "$(jq .missed <<<"$output")" 1
	# Those that --where skips tell it as well.
	run_aioevt 3 wait e --after 1 --timeout 0 --strict --json --where false
	expect_match "stderr" "$errors" 'aioevt: event "e": 1 records before number 3 were missed'
	run_aioevt wait e --after 1 --timeout 0
	run_aioevt wait e --after 2 --timeout 0 --strict
	run_aioevt 124 wait e --after 3 --timeout 0 --strict
}

@test "wait -- COMMAND: its status is known even if SIGCHLD was ignored" {
	local status=0

	timeout -s KILL 20 env --ignore-signal=CHLD "$AIOEVT" wait e --timeout 15 -- sh -c 'exit 9' \
		>"$OUT" 2>"$ERR" 3>&- || status=$?
	expect "status" "$status" 9
}
