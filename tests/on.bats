#!/usr/bin/env bats
# aioevt on: what COMMAND gets, when it runs, and what becomes of it.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
# shellcheck disable=SC2016
load helpers

# start_on ARGS: aioevt on in the background, listening
start_on() {
	mkfifo "$BATS_TEST_TMPDIR/ready"
	exec 9<>"$BATS_TEST_TMPDIR/ready"
	rm "$BATS_TEST_TMPDIR/ready"
	start_aioevt on --ready-fd 9 "$@"
	read -r -t 20 -u 9
	exec 9<&-
}

# finish [STATUS]: take its result; in time, or the test fails
finish() {
	until_true is_gone "$BACKGROUND" || return
	end_aioevt "$@"
}

# end_on: by SIGTERM
end_on() {
	kill -TERM "$BACKGROUND"
	finish 143
}

# once ARGS: of "aioevt on --once", with $RECORD (e) emitted: words of aioevt emit
once() {
	start_on --once "$@"
	run_aioevt emit "${RECORD[@]-e}"
	finish "${STATUS-0}"
}

# The log of COMMANDs that wait for a line of the fifo $GO: "start N DROPPED", "end N".
prepare_log() {
	LOG=$BATS_TEST_TMPDIR/log
	GO=$BATS_TEST_TMPDIR/go
	export LOG GO
	: >"$LOG"
	mkfifo "$GO"
	exec 8<>"$GO"
	LOGGER='echo "start $1 $AIOEVT_DROPPED" >>"$LOG"; read -r x <"$GO"; echo "end $1" >>"$LOG"'
}

go() {
	local i

	for ((i = 0; i < ${1-1}; i++)); do
		echo
	done >&8
}

has_line() {
	grep -qx "$1" "$LOG"
}

has_lines() {
	[ "$(wc -l <"$LOG")" -ge "$1" ]
}

# until_lines N: of the log, as long as there are more and more
until_lines() {
	local n

	until has_lines "$1"; do
		n=$(wc -l <"$LOG")
		until_true has_lines $((n < $1 ? n + 1 : $1)) || return
	done
}

# emit_many EVENT N: records 1, 2, ... N
emit_many() {
	local i

	if "$AIOEVT" emit --help 3>&- | grep -q -- --lines; then
		seq "$2" | "$AIOEVT" emit "$1" --lines 3>&-
		return
	fi
	for ((i = 1; i <= $2; i++)); do
		# it is held up rather than a record missed
		until "$AIOEVT" emit "$1" "$i" 2>"$ERR" 3>&-; do :; done
	done
}

# make_small_bus: its rings hold 16 records
make_small_bus() {
	"${AIOEVT%/*}/tests/arch/peer" make
}

# Whether the reliable listener of e has come back for more.
has_read_all() {
	[ "$("$AIOEVT" list --json e 3>&- | jq .slowest.lag 3>&-)" = 0 ]
}

# Whether the process is none, or only waits for its parent.
is_gone() {
	local stat

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $stat == *') Z '* ]]
}

has_no_children() {
	[ -z "$(ps --no-headers --ppid "$BACKGROUND" 3>&-)" ]
}

# ---- what COMMAND gets ------------------------------------------------------------------

@test "COMMAND has the record in its environment, and nothing of an older one" {
	export AIOEVT_ARG_5=stale AIOEVT_KW_old=stale AIOEVT_KX__3D=stale AIOEVT_OMITTED=stale
	export AIOEVT_NARGS=9 AIOEVT_ARGUMENT=kept AIOEVT_KEYS=stale
	start_on 'a.*' b --once -- sh -c 'printf "%s|" "$AIOEVT_EVENT" "$AIOEVT_SEQ" \
		"$AIOEVT_MISSED" "$AIOEVT_DROPPED" "$AIOEVT_NARGS" "$AIOEVT_ARG_0" \
		"$AIOEVT_ARG_1" "$AIOEVT_KW_host" "$AIOEVT_KX_x_2Dy" "$AIOEVT_KEYS" \
		"$AIOEVT_NUL" "$AIOEVT_OMITTED" "${AIOEVT_ARG_5-none}" "${AIOEVT_KW_old-none}" \
		"${AIOEVT_KX__3D-none}" "$AIOEVT_ARGUMENT" "$AIOEVT_BUS"'
	run_aioevt emit a.1 $'it\'s "$(id)"\n' 5 host=db x-y=true
	finish
	expect "stdout" "$output" $'a.1|1|0|0|2|it\'s "$(id)"\n|5|db|true|AIOEVT_KX_x_2Dy AIOEVT_KW_host|||none|none|none|kept|'"$AIOEVT_BUS|"
	expect "stderr" "$errors" ""
}

@test "the variables are those of wait --format shell, odd keys and NULs too" {
	RECORD=(e --json '{"args":["a\u0000b",{"$bytes":"AP8="},{"$bytes":"/w=="},"c",[1]],
		"kwargs":{"a-b":1,"a_b":2,"x;id":"\u0000","a_2Db":3,"":4,"ä":5}}')
	once e -- sh -c 'env -0 | sort -z | tr "\0" "\n" | grep -a ^AIOEVT_ |
		grep -av "^AIOEVT_OMITTED=$\|^AIOEVT_DROPPED=0$"'
	mv "$OUT.bg" "$OUT.on"
	run_aioevt wait e --after 0 --timeout 0 --format shell
	sh -c 'set -a; eval "$(cat "$0")"; env -0 | sort -z | tr "\0" "\n" |
		grep -a ^AIOEVT_' "$OUT" >"$OUT.wait"
	expect_match "wait" "$(cat "$OUT.wait")" '*AIOEVT_KX_x_3Bid=*AIOEVT_NUL=AIOEVT_ARG_0 *'
	diff "$OUT.wait" "$OUT.on"
}

@test "the record is on standard input as wait --json prints it" {
	RECORD=(e $'a\nb' k:=2.0)
	once e -- cat
	run_aioevt wait e --after 0 --timeout 0 --json
	diff "$OUT" "$OUT.bg"
	expect_match "stdout" "$output" '{"event":"e","seq":1,*'
}

@test "the record is on standard input when that was closed, and stdout stays so" {
	exec 7<&0 0<&-
	mkfifo "$BATS_TEST_TMPDIR/ready"
	"$AIOEVT" on e --once --ready-fd 5 -- sh -c 'cat >"$0"; echo no' "$OUT.in" <&- >&- \
		2>"$ERR.bg" 3>&- 5>"$BATS_TEST_TMPDIR/ready" &
	BACKGROUND=$!
	exec 0<&7 7<&-
	read -r -t 20 <"$BATS_TEST_TMPDIR/ready"
	run_aioevt emit e x
	wait "$BACKGROUND" || true
	expect_match "input" "$(cat "$OUT.in")" '{"event":"e","seq":1,*"args":\["x"\]*'
	run_aioevt doctor
}

@test "a message with standard error closed does not go into the bus" {
	mkfifo "$BATS_TEST_TMPDIR/ready"
	"$AIOEVT" on e --ready-fd 5 --once -- false </dev/null 2>&- 3>&- \
		5>"$BATS_TEST_TMPDIR/ready" &
	BACKGROUND=$!
	read -r -t 20 <"$BATS_TEST_TMPDIR/ready"
	run_aioevt emit e
	wait "$BACKGROUND" && false
	run_aioevt emit e
	run_aioevt doctor
}

@test "placeholders are replaced anywhere in a word, and never pass a shell" {
	local nasty=$'-n it\'s "$(touch x)" `id` \\ ;\n*\n{1}'

	RECORD=(e -- "$nasty" '' :='["l"]' key=v a.b-c=w event=mine)
	once e -- printf '%s|' {event} {seq} {0} {1} {2} {key} {a.b-c} {missed} \
		'x{0}' '{0}x' '{}' '{ 0 }' '{007}' '{{0}}' '{{{key}}}' '{{}}' '{1,2}' '' -- '{0'
	expect "stdout" "$output" "e|1|$nasty||[\"l\"]|v|w|0|x$nasty|${nasty}x|{}|{ 0 }|{007}|{0}|{{key}}|{{}}|{1,2}||--|{0|"
	once e -- printf '%s|' '/log/{event}-{seq}.{key}' '{"k":{key}}' '{key}{seq}{{key}}' 'a{{{seq}}b' \
		'a${key}${{0}}$' '$${0}' '{{seq}' '{seq}}' '{{{2}}}}' '{' '}' '{{key}}{{key}}'
	expect "stdout" "$output" \
		'/log/e-2.v|{"k":v}|v2{key}|a{{seq}b|a${key}${{0}}$|$${0}|{2|2}|{{2}}}|{|}|{key}{key}|'
	[ ! -e x ]
}

@test "a placeholder that the record has not: COMMAND is not run, and the next is" {
	start_on e -- echo {seq} {1} a-{seq}-{host}
	run_aioevt emit e a host=x
	run_aioevt emit e a b
	run_aioevt emit e a b host=x
	until_true grep -q b "$OUT.bg"
	end_on
	expect "stdout" "$output" "3 b a-3-x"
	expect "stderr" "$errors" 'aioevt: event "e", record 1: it has no {1}; COMMAND was not run
aioevt: event "e", record 2: it has no {host}; COMMAND was not run'
	start_on e --fail-fast -- echo {1}
	run_aioevt emit e a
	finish 1
}

@test "COMMAND has the signals and descriptors that aioevt had, and no other" {
	local i status=(grep -E 'Sig(Blk|Ign|Cgt)|ShdPnd' /proc/self/status)

	once e -- "${status[@]}"
	mv "$OUT.bg" "$OUT.on"
	"${status[@]}" >"$OUT" 3>&- &
	wait $!
	# But for 32 and 33, which are the C library's: it takes them when there are threads.
	sed -i 's/.\{9\}$/--&/; s/--..\(.\{7\}\)$/--\1/' "$OUT" "$OUT.on"
	diff "$OUT" "$OUT.on"
	once e -- ls /proc/self/fd
	ls /proc/self/fd <"$OUT" >"$OUT.on" 3>&-
	expect "descriptors" "$output" "$(cat "$OUT.on")"
}

@test "16 MiB: all of it on standard input, and a variable less" {
	head -c 16777000 /dev/zero | tr '\0' y >"$BATS_TEST_TMPDIR/payload"
	start_on e -- sh -c 'printf "%s|" "$AIOEVT_SEQ" "$AIOEVT_OMITTED" "${AIOEVT_ARG_0-none}" \
		"$AIOEVT_KW_k" >>"$0.env"; cat >"$0"; mv "$0" "$0.$AIOEVT_SEQ"' "$OUT.in"
	run_aioevt emit e --stdin k=v <"$BATS_TEST_TMPDIR/payload"
	run_aioevt emit e small k=v
	until_true test -e "$OUT.in.2"
	end_on
	expect "stderr" "$errors" ""
	expect "variables" "$(cat "$OUT.in.env")" '1|AIOEVT_ARG_0|none|v|2||small|v|'
	run_aioevt wait e --after 0 --timeout 0 --json
	cmp "$OUT" "$OUT.in.1"
	start_on e -- echo {0}
	run_aioevt emit e --stdin <"$BATS_TEST_TMPDIR/payload"
	run_aioevt emit e small
	until_true grep -q small "$OUT.bg"
	end_on
	expect "stderr" "$errors" \
		'aioevt: event "e", record 3: too large for a word: {0}; COMMAND was not run'
}

@test "variables that are too many for the kernel are left out and named" {
	local large i

	# a quarter of 1 MiB is what the kernel takes in all
	start_on_limited e --once -- sh -c 'i=0; n=0
		while [ $i -lt 9 ]; do
			eval "[ -z \"\${AIOEVT_ARG_$i-}\" ] || n=\$((n + 1))"
			i=$((i + 1))
		done
		echo "$n $AIOEVT_OMITTED"; jq ".args | map(length) | add"'
	printf -v large %050000d 0
	run_aioevt emit --string e x"$large" x"$large" x"$large" x"$large" x"$large" x"$large" \
		x"$large" small last
	finish
	i=$(head -n 1 <<<"$output")
	expect "set and left out" $((${i%% *} + $(wc -w <<<"${i#* }"))) 9
	expect_match "left out" "$i" '* AIOEVT_ARG_[2345] *AIOEVT_ARG_6'
	expect "standard input" "$(tail -n 1 <<<"$output")" 350016
	expect "stderr" "$errors" ""
}

start_on_limited() {
	ulimit -Ss 1024
	start_on "$@"
	ulimit -Ss 8192
}

@test "names of omitted variables without end are cut short" {
	local i

	start_on_limited e --once -- sh -c 'printf %s "$AIOEVT_OMITTED"'
	"$AIOEVT" emit e --json "{\"args\":[$(for ((i = 0; i < 9999; i++)); do
		printf '"%s",' "$i"; done)0]}" 3>&-
	finish
	expect_match "omitted" "$output" '*AIOEVT_ARG_[0-9]* ...'
	[ "${#output}" -le 4096 ]
}

# ---- when it runs -----------------------------------------------------------------------

@test "records come one after the other, in order, and none is lost" {
	local i n=100

	"$AIOEVT" emit --help 3>&- | grep -q -- --lines && n=300
	prepare_log
	make_small_bus
	start_on e -- sh -c 'echo "$AIOEVT_SEQ $AIOEVT_MISSED $1" >>"$LOG"' sh {0}
	emit_many e "$n"
	until_lines "$n"
	end_on
	expect "stderr" "$errors" ""
	for ((i = 1; i <= n; i++)); do
		echo "$i 0 $i"
	done | diff - "$LOG"
}

@test "records of several events come in the order of their times" {
	local i

	prepare_log
	start_on 'a.*' b c -- sh -c "$LOGGER" sh {0}
	run_aioevt emit b 0
	until_true has_line 'start 0 0'
	run_aioevt emit c 1
	run_aioevt emit a.x 2
	run_aioevt emit b 3
	run_aioevt emit a.y 4
	run_aioevt emit a.x 5
	run_aioevt emit c 6
	go 7
	until_true has_line 'end 6'
	end_on
	for ((i = 0; i < 7; i++)); do
		printf '%s\n' "start $i 0" "end $i"
	done | diff - "$LOG"
}

@test "a reliable listener does not go past a record whose COMMAND runs" {
	prepare_log
	start_on e -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	run_aioevt emit e 2
	until_true has_line 'start 1 0'
	expect "lag" "$("$AIOEVT" list --json e 3>&- | jq .slowest.lag)" 2
	go 2
	until_true has_read_all
	end_on
}

@test "--jobs N runs N at once, and no more" {
	local i

	prepare_log
	start_on e --jobs 3 -- sh -c 'echo + >>"$LOG"; read -r x <"$GO"; echo - >>"$LOG"'
	for ((i = 0; i < 12; i++)); do
		run_aioevt emit e
	done
	until_true has_lines 3
	go 12
	until_true has_lines 24
	end_on
	expect "at once" "$(awk '{ n += $0 "1"; if (n > max) max = n } END { print max, n }' "$LOG")" "3 0"
}

@test "--on-busy queue: each runs, when it is its turn" {
	local i

	prepare_log
	start_on e --on-busy queue -- sh -c "$LOGGER" sh {0}
	for ((i = 1; i <= 3; i++)); do
		run_aioevt emit e "$i"
	done
	until_true has_line 'start 1 0'
	go 3
	until_true has_line 'end 3'
	end_on
	expect "log" "$(cat "$LOG")" $'start 1 0\nend 1\nstart 2 0\nend 2\nstart 3 0\nend 3'
}

@test "--on-busy drop: what comes meanwhile is dropped, and counted" {
	local i

	prepare_log
	start_on e --on-busy drop -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	for ((i = 2; i <= 4; i++)); do
		run_aioevt emit e "$i"
	done
	until_true is_asleep "$BACKGROUND"
	go
	until_true has_no_children
	run_aioevt emit e 5
	until_true has_line 'start 5 3'
	go
	until_true has_no_children
	end_on
	expect "log" "$(cat "$LOG")" $'start 1 0\nend 1\nstart 5 3\nend 5'
	expect "stderr" "$errors" ""
}

@test "--on-busy coalesce: the newest that comes meanwhile runs afterwards" {
	local i

	prepare_log
	start_on e --on-busy coalesce -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	for ((i = 2; i <= 4; i++)); do
		run_aioevt emit e "$i"
	done
	until_true is_asleep "$BACKGROUND"
	go
	until_true has_line 'start 4 2'
	go
	until_true has_line 'end 4'
	end_on
	expect "log" "$(cat "$LOG")" $'start 1 0\nend 1\nstart 4 2\nend 4'
}

@test "--on-busy restart: the one that runs is ended with its group" {
	local child

	prepare_log
	start_on e --on-busy restart --fail-fast -- sh -c 'sleep 1000 & echo "$1 $!" >>"$LOG"; wait' sh {0}
	run_aioevt emit e 1
	until_true has_lines 1
	read -r _ child <"$LOG"
	run_aioevt emit e 2
	until_true has_lines 2
	until_true is_gone "$child"
	read -r _ child < <(tail -n 1 "$LOG")
	run_aioevt emit e 3
	until_true has_lines 3
	until_true is_gone "$child"
	end_on
	expect "order" "$(cut -d' ' -f1 "$LOG" | tr '\n' ' ')" "1 2 3 "
	expect "stderr" "$errors" ""
}

@test "--on-busy restart: the newest waits for one that does not end at once" {
	prepare_log
	start_on e --on-busy restart --kill-after 1h -- sh -c 'trap "" TERM;'"$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	run_aioevt emit e 2
	run_aioevt emit e 3
	until_true is_asleep "$BACKGROUND"
	go
	until_true has_line 'start 3 1'
	go
	until_true has_line 'end 3'
	end_on
	expect "log" "$(cat "$LOG")" $'start 1 0\nend 1\nstart 3 1\nend 3'
}

@test "--on-busy restart --jobs 2: the oldest gives way" {
	prepare_log
	start_on e --on-busy restart --jobs 2 -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	run_aioevt emit e 2
	until_true has_line 'start 2 0'
	run_aioevt emit e 3
	until_true has_line 'start 3 0'
	go 2
	until_true has_no_children
	end_on
	expect "log" "$(sort "$LOG")" $'end 2\nend 3\nstart 1 0\nstart 2 0\nstart 3 0'
}

@test "--reliable holds up emitters" {
	local n=0

	prepare_log
	make_small_bus
	start_on e -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	while "$AIOEVT" emit e 2>"$ERR" 3>&-; do
		n=$((n + 1))
		[ "$n" -lt 20 ]
	done
	expect_match "stderr" "$(cat "$ERR")" "*reliable listener of process $BACKGROUND is *"
	kill -KILL "$BACKGROUND"
	wait "$BACKGROUND" || true
	run_aioevt emit e
}

@test "--lossy misses records rather, and COMMAND is told how many" {
	local i

	prepare_log
	make_small_bus
	start_on e --lossy -- sh -c 'echo "$AIOEVT_MISSED" >>"$LOG"; read -r x <"$GO"'
	run_aioevt emit e
	until_true has_lines 1
	for ((i = 0; i < 20; i++)); do
		run_aioevt emit e
	done
	go
	until_true has_lines 2
	end_on
	expect "missed" "$(cat "$LOG")" $'0\n4'
}

@test "it goes on with the bus that takes a removed one's place" {
	prepare_log
	start_on e -- sh -c "$LOGGER" sh {0}
	run_aioevt emit e 1
	until_true has_line 'start 1 0'
	rm "$BUS_FILE"
	run_aioevt emit e 2
	go
	until_true has_line 'start 2 0'
	rm "$BUS_FILE"
	go
	until_true has_line 'end 2'
	run_aioevt emit e 3
	until_true has_line 'start 3 0'
	go
	until_true has_line 'end 3'
	end_on
}

# ---- how it ends ------------------------------------------------------------------------

@test "COMMAND that fails is reported, and the next runs" {
	start_on e -- sh -c 'case $1 in k) kill -KILL $$ ;; *) exit "$1" ;; esac' sh {0}
	run_aioevt emit e 3
	run_aioevt emit e 0
	run_aioevt emit e k
	run_aioevt emit e 255
	until_true grep -q 255 "$ERR.bg"
	end_on
	expect "stdout" "$output" ""
	expect "stderr" "$errors" 'aioevt: event "e", record 1: "sh" failed with status 3
aioevt: event "e", record 3: "sh" was killed by signal 9 (Killed)
aioevt: event "e", record 4: "sh" failed with status 255'
}

@test "--fail-fast ends with the status of the first that fails, after those that run" {
	start_on e --fail-fast -- sh -c 'exit "$1"' sh {0}
	run_aioevt emit e 0
	run_aioevt emit e 3
	finish 3
	expect "stderr" "$errors" 'aioevt: event "e", record 2: "sh" failed with status 3'
	start_on e --fail-fast -- sh -c 'kill -TERM $$'
	run_aioevt emit e
	finish 143

	prepare_log
	start_on e --fail-fast --jobs 2 -- sh -c "$LOGGER"'; exit "$1"' sh {0}
	run_aioevt emit e 0
	until_true has_line 'start 0 0'
	run_aioevt emit e 4
	until_true has_line 'start 4 0'
	exec 7<>"$GO"
	go
	until_true has_lines 3
	go
	finish 4
	expect "lines" "$(wc -l <"$LOG")" 4
	exec 7<&-
}

@test "--once runs one, and ends with its status" {
	prepare_log
	start_on e --once --on-busy drop -- sh -c 'echo >>"$LOG"; exit "$1"' sh {0}
	run_aioevt emit e 7
	run_aioevt emit e 8
	finish 7
	expect "lines" "$(wc -l <"$LOG")" 1
	RECORD=(e 0)
	once e -- sh -c 'exit "$1"' sh {0}
	STATUS=137 once e -- sh -c 'kill -KILL $$'
}

@test "--once --on-busy restart: one that gave way does not count" {
	prepare_log
	start_on e --once --on-busy restart -- sh -c "$LOGGER"'; exit "$1"' sh {0}
	run_aioevt emit e 5
	until_true has_line 'start 5 0'
	run_aioevt emit e 6
	until_true has_line 'start 6 0'
	go
	finish 6
	expect "stderr" "$errors" 'aioevt: event "e", record 2: "sh" failed with status 6'
}

@test "COMMAND that cannot be run is told before the first record, with 126 or 127" {
	local dir=$BATS_TEST_TMPDIR

	run_aioevt 127 on e -- no-such-command-anywhere
	expect "stderr" "$errors" \
		'aioevt: cannot run "no-such-command-anywhere": No such file or directory'
	run_aioevt 127 on e -- ./no/such/path
	run_aioevt 127 on e -- ''
	run_aioevt 126 on e -- "$dir"
	echo text >"$dir/file"
	run_aioevt 126 on e -- "$dir/file"
	expect "stderr" "$errors" "aioevt: cannot run \"$dir/file\": Permission denied"
	# as execvp(3) looks for it: past what cannot be run, and in the working directory
	mkdir "$dir/bin"
	printf '#!/bin/sh\necho here\n' >"$dir/bin/file"
	chmod +x "$dir/bin/file"
	PATH=$dir:/none:$dir/bin:$PATH once e -- file
	expect "stdout" "$output" here
	run env PATH="$dir" "$AIOEVT" on e -- file
	expect "status" "$status" 126
	cd "$dir/bin"
	PATH=/none::$PATH once e -- file
	expect "stdout" "$output" here
}

@test "COMMAND that cannot be run any more ends it, with 126 or 127" {
	local file=$BATS_TEST_TMPDIR/file

	printf '#!/bin/sh\n' >"$file"
	chmod +x "$file"
	start_on e -- "$file"
	rm "$file"
	run_aioevt emit e
	finish 127
	expect "stderr" "$errors" \
		"aioevt: event \"e\", record 1: cannot run \"$file\": No such file or directory"
	printf '#!/no/such/interpreter\n' >"$file"
	chmod +x "$file"
	start_on e -- "$file"
	chmod -x "$file"
	run_aioevt emit e
	finish 126
}

@test "signals are passed on, and it ends after COMMAND" {
	local i want

	prepare_log
	for i in TERM HUP INT QUIT; do
		: >"$LOG"
		mkfifo "$BATS_TEST_TMPDIR/ready"
		# a script's background process ignores some of them
		env --default-signal=INT,QUIT "$AIOEVT" on e --jobs 2 --kill-after 1h --ready-fd 5 \
			-- sh -c '
			trap "echo got $2 >>\"\$LOG\"; kill \$! 2>/dev/null; read -r x <\"\$GO\"; exit 0" $2
			sleep 1000 & echo "start $1" >>"$LOG"; wait' sh {0} "$i" \
			>"$OUT.bg" 2>"$ERR.bg" 3>&- 5>"$BATS_TEST_TMPDIR/ready" &
		BACKGROUND=$!
		read -r -t 20 <"$BATS_TEST_TMPDIR/ready"
		rm "$BATS_TEST_TMPDIR/ready"
		run_aioevt emit e 1
		run_aioevt emit e 2
		run_aioevt emit e 3
		until_true has_lines 2
		kill "-$i" "$BACKGROUND"
		until_true has_lines 4
		kill -0 "$BACKGROUND"
		go 2
		finish $((128 + $(kill -l "$i")))
		expect "stderr" "$errors" ""
		expect "log" "$(sort "$LOG")" "got $i
got $i
start 1
start 2"
		run_aioevt rm e
	done
}

@test "a COMMAND that a signal ends is no failure, and a stopped one ends" {
	prepare_log
	start_on e -- sh -c 'echo $$ >"$LOG"; kill -STOP $$'
	run_aioevt emit e
	until_true has_lines 1
	until_true grep -q stopped "$ERR.bg"
	end_on
	expect "stderr" "$errors" \
		'aioevt: event "e", record 1: "sh" was stopped by signal 19 (Stopped (signal))'
	until_true is_gone "$(cat "$LOG")"
}

@test "a signal that is ignored stays ignored" {
	mkfifo "$BATS_TEST_TMPDIR/ready"
	env --ignore-signal=HUP "$AIOEVT" on e --ready-fd 5 -- echo {0} \
		>"$OUT.bg" 2>"$ERR.bg" 3>&- 5>"$BATS_TEST_TMPDIR/ready" &
	BACKGROUND=$!
	read -r -t 20 <"$BATS_TEST_TMPDIR/ready"
	kill -HUP "$BACKGROUND"
	run_aioevt emit e x
	until_true grep -q x "$OUT.bg"
	end_on
}

@test "when it is killed, COMMAND is" {
	local pid

	prepare_log
	start_on e --jobs 3 -- sh -c 'echo $$ >>"$LOG"; exec sleep 1000'
	run_aioevt emit e
	run_aioevt emit e
	run_aioevt emit e
	until_true has_lines 3
	kill -KILL "$BACKGROUND"
	wait "$BACKGROUND" || true
	while read -r pid; do
		until_true is_gone "$pid"
	done <"$LOG"
	run_aioevt emit e
}

@test "children are reaped" {
	local i

	prepare_log
	start_on e --jobs 4 -- sh -c 'echo >>"$LOG"'
	for ((i = 0; i < 8; i++)); do
		run_aioevt emit e
	done
	until_true has_lines 8
	until_true has_no_children
	end_on
	# and one that was there before
	mkfifo "$BATS_TEST_TMPDIR/ready"
	sh -c 'sleep 0.2 & exec "$0" on e --ready-fd 5 -- sleep 1000' "$AIOEVT" >"$OUT.bg" \
		2>"$ERR.bg" 3>&- 5>"$BATS_TEST_TMPDIR/ready" &
	BACKGROUND=$!
	read -r -t 20 <"$BATS_TEST_TMPDIR/ready"
	until_true has_no_children
	end_on
}

@test "usage" {
	run_usage on
	run_usage on e
	run_usage on -- true
	run_usage on e --
	run_usage on 'a b' -- true
	run_usage on e -- {0}
	expect_match "stderr" "$errors" '*COMMAND "{0}"*'
	run_usage on e -- ./do-{event}
	run_usage on e --jobs 0 -- true
	run_usage on e --jobs 1025 -- true
	expect_match "stderr" "$errors" '*--jobs "1025"*from 1 to 1024'
	run_usage on e --jobs 2 --once -- true
	run_usage on e --on-busy later -- true
	expect_match "stderr" "$errors" '*"later"*queue, drop, restart or coalesce'
	run_usage on e --reliable --lossy -- true
	run_usage on e --ready-fd 77 -- true
	run_usage on e --ready-fd x -- true
}

@test "an acknowledgement comes when COMMAND has ended, also with several events and --once" {
	local event emitter

	prepare_log
	for event in e "e other" ">"; do
		# shellcheck disable=SC2086
		start_on $event --once -- sh -c "$LOGGER" sh {0}
		"$AIOEVT" emit e 1 --need 1 --ack 1 --timeout 20 3>&- &
		emitter=$!
		until_true has_line "start 1 0"
		until_true is_asleep $emitter
		kill -0 $emitter
		go
		wait $emitter
		finish
		: >"$LOG"
		"$AIOEVT" rm e 3>&-
	done
}

# is_handled PID: the emitter of an acknowledged record has ended well; in time, or the test fails
is_handled() {
	until_true is_gone "$1" && wait "$1"
}

@test "an acknowledgement comes when COMMAND has ended, whatever runs beside it" {
	local event first second

	prepare_log
	for event in e ">" "e other"; do
		: >"$LOG"
		# shellcheck disable=SC2086
		start_on $event --jobs 2 -- sh -c "$LOGGER" sh {0}
		"$AIOEVT" emit e 1 --need 1 --ack 1 --timeout 15 3>&- &
		first=$!
		until_true has_line "start 1 0"
		until_true is_asleep $first
		kill -0 $first
		"$AIOEVT" emit e 2 --ack 1 --timeout 15 3>&- &
		second=$!
		until_true has_line "start 2 0"
		until_true is_asleep $second
		kill -0 $first $second
		go 2
		is_handled $first
		is_handled $second
		end_on
		"$AIOEVT" rm e 3>&-
	done
}

@test "an acknowledgement does not wait for a COMMAND of another event" {
	local first second

	prepare_log
	start_on '*' --jobs 2 -- \
		sh -c 'echo "start $1" >>"$LOG"; until [ -e "$GO.$1" ]; do sleep .01; done' sh {event}
	"$AIOEVT" emit a --need 1 --ack 1 --timeout 15 3>&- &
	first=$!
	until_true has_line "start a"
	"$AIOEVT" emit b --need 1 --ack 1 --timeout 15 3>&- &
	second=$!
	until_true has_line "start b"
	touch "$GO.a"
	is_handled $first
	until_true is_asleep $second
	kill -0 $second
	touch "$GO.b"
	is_handled $second
	end_on
}

@test "an acknowledgement of what is dropped or waits comes when its event has no other" {
	local how first second

	prepare_log
	for how in drop coalesce; do
		: >"$LOG"
		start_on '>' --on-busy $how -- sh -c "$LOGGER" sh {0}
		"$AIOEVT" emit e 1 --need 1 --ack 1 --timeout 15 3>&- &
		first=$!
		until_true has_line "start 1 0"
		"$AIOEVT" emit e 2 --ack 1 --timeout 15 3>&- &
		second=$!
		until_true is_asleep $second
		[ $how != drop ] || run_aioevt emit other 3 --need 1 --ack 1 --timeout 15
		kill -0 $first $second
		go
		is_handled $first
		if [ $how = coalesce ]; then
			until_true has_line "start 2 0"
			kill -0 $second
			go
		fi
		is_handled $second
		end_on
		run_aioevt rm e
	done
}

@test "--fail-fast: a record that waits when it ends is not acknowledged" {
	local emitter

	prepare_log
	start_on e --on-busy coalesce --fail-fast -- \
		sh -c 'echo start >>"$LOG"; read -r x <"$GO"; exit 3'
	run_aioevt emit e 1
	until_true has_line start
	"$AIOEVT" emit e 2 --ack 1 --timeout 15 2>"$BATS_TEST_TMPDIR/ack" 3>&- &
	emitter=$!
	until_true is_asleep $emitter
	go
	finish 3
	until_true is_gone $emitter
	wait $emitter && false
	expect_match "stderr" "$(cat "$BATS_TEST_TMPDIR/ack")" "*handled by 0 of 1 *"
}
