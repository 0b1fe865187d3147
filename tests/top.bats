#!/usr/bin/env bats
# aioevt top: its figures, its table, and the terminal, whose screen is read by tmux.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# Follow the bus as JSON in the background.
follow() {
	start_aioevt top --json --interval 0.1 "$@"
	until_true has_lines 1
}

has_lines() {
	[ "$(wc -l <"$OUT.bg")" -ge "$1" ]
}

# sees FILTER: of the lines that are complete, one answers true
sees() {
	jq -cn "[inputs | $1] | any" < <(grep '}$' "$OUT.bg") 3>&- | grep -q true
}

# The records that the rates of EVENT make up, in all.
sum_of_rates() {
	grep '}$' "$OUT.bg" | jq -n --arg event "$1" '[inputs | .interval_ns as $ns | .events[] |
		select(.event == $event) | .rate * $ns / 1e9] | add | round' 3>&-
}

stop_following() {
	kill -TERM "$BACKGROUND"
	end_aioevt 143
	expect "stderr" "$errors" ""
}

# A reliable reader of EVENT that does not read; $HOLDER is its process.
hold() {
	local peer=${AIOEVT%/*}/tests/arch/peer

	[ -x "$peer" ] || skip "no $peer: make tests-built"
	"$peer" hold "$1" >"$BATS_TEST_TMPDIR/holder" 3>&- &
	HOLDER=$!
	until_true test -s "$BATS_TEST_TMPDIR/holder"
}

# ---- figures ------------------------------------------------------------------------

@test "top of a bus that does not exist has no events and makes none" {
	run_aioevt top --once --interval 10ms
	expect "output" "$output$errors" ""
	run_aioevt top --once --json --interval 10ms
	expect "events" "$(jq -c .events <<<"$output")" "[]"
	expect "stderr" "$errors" ""
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

@test "top makes no event and leaves nothing on the bus" {
	run_aioevt emit e
	run_aioevt top --once --interval 10ms no.such
	expect "output" "$output" ""
	run_aioevt list --json
	expect "events" "$(jq -c '[.event, .records, .listeners]' <<<"$output")" '["e",1,0]'
	run_aioevt doctor --json
	expect "ports" "$(jq -c .ports <<<"$output")" '[]'
}

@test "top --once prints one table, the busiest first, without control sequences" {
	run_aioevt emit job.a
	run_aioevt emit job.b x
	run_aioevt emit Ünicode
	run_aioevt top --once --interval 20ms
	expect "first column" "$(awk '{ print $1, $2, $3, $4, $5, $6, $7, $8 }' <<<"$output")" \
		'EVENT RATE/S RECORDS LISTENERS RELIABLE LAG PID BAR
job.a 0.0 1 0 0 - - 
job.b 0.0 1 0 0 - - 
Ünicode 0.0 1 0 0 - - '
	expect "control characters" "$(tr -d '\n' <"$OUT" | LC_ALL=C grep -c '[[:cntrl:]]')" 0
	run_aioevt top --once --interval 20ms 'job.*'
	expect "events" "$(awk '{ print $1 }' <<<"$output")" $'EVENT\njob.a\njob.b'
}

@test "top --once lasts one interval" {
	local start=$EPOCHREALTIME

	run_aioevt top --once --interval 300ms --json
	[ $((${EPOCHREALTIME/./} - ${start/./})) -ge 300000 ]
	expect "interval" "$(jq '.interval_ns >= 3e8' <<<"$output")" true
}

@test "top --json: the rates are of what came since the look before" {
	run_aioevt emit old
	run_aioevt emit old
	follow
	run_aioevt emit old
	run_aioevt emit new 1
	run_aioevt emit new 2
	run_aioevt emit new 3
	until_true sees '.events | length == 2 and all(.records == 3)'
	stop_following
	expect "of old" "$(sum_of_rates old)" 1
	expect "of new" "$(sum_of_rates new)" 3
	expect "keys" "$(jq -c '[keys_unsorted, (.events[] | keys_unsorted)]' "$OUT.bg" |
		tail -n 1)" '[["time","interval_ns","rate","events"],'\
'["event","records","rate","listeners","reliable","slowest"],'\
'["event","records","rate","listeners","reliable","slowest"]]'
}

@test "top --json: the busiest event comes first" {
	local i

	run_aioevt emit a
	run_aioevt emit b
	follow
	for i in 1 2 3; do
		run_aioevt emit b
	done
	until_true sees '.events[1].records == 4 or .events[0].records == 4'
	stop_following
	expect "order" "$(jq -s 'map(.events | map(.rate)) | all(. == (sort | reverse))' \
		"$OUT.bg")" true
	expect "b was first" "$(jq -s 'map(.events[0].event == "b") | any' "$OUT.bg")" true
}

@test "top shows the listeners, and how far the slowest reliable one is behind" {
	start_aioevt wait e --timeout 10
	until_listening e
	hold e
	run_aioevt emit e
	end_aioevt
	run_aioevt emit e
	run_aioevt emit e
	run_aioevt top --once --json --interval 10ms
	expect "event" "$(jq -c '.events[0] | [.records, .listeners, .reliable, .slowest.lag,
		.slowest.pid]' <<<"$output")" "[3,1,1,3,$HOLDER]"
	run_aioevt top --once --interval 10ms
	expect "row" "$(awk '$1 == "e" { print $3, $4, $5, $6, $7 }' <<<"$output")" \
		"3 1 1 3 $HOLDER"
	kill -KILL "$HOLDER"
	wait "$HOLDER" || true
}

@test "top goes on with the bus that takes a removed one's place" {
	local i

	for i in 1 2 3 4 5; do
		run_aioevt emit e
	done
	follow
	until_true sees '.events[0].records == 5'
	rm "$BUS_FILE"
	until_true sees '.events == []'
	run_aioevt emit e
	run_aioevt emit f
	until_true sees '.events | length == 2'
	rm "$BUS_FILE"
	for i in 1 2 3 4 5 6 7; do
		"$AIOEVT" emit e 3>&-
	done
	until_true sees '.events[0].records == 7'
	stop_following
	# Also the seventh is counted, although the bus before had one.
	expect "of e" "$(sum_of_rates e)" 8
}

@test "top without a terminal repeats the table until nobody reads it" {
	local got

	run_aioevt emit e
	got=$(timeout 20 "$AIOEVT" top --interval 20ms 2>"$ERR" 3>&- | head -n 5 | awk '{ print $1 }')
	expect "first column" "$got" $'EVENT\ne\n\nEVENT\ne'
	expect "stderr" "$(cat "$ERR")" ""
}

@test "top ends when the reader of its output goes, in the midst of an interval" {
	run_aioevt emit e
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	timeout 30 "$AIOEVT" top --interval 1h >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR.bg" </dev/null 3>&- &
	BACKGROUND=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	exec 7<&-
	: >"$OUT.bg"
	end_aioevt 1
	expect "stderr" "$errors" ""
}

@test "top and an output that cannot be written to" {
	run_aioevt emit e
	# shellcheck disable=SC2016
	AIOEVT=$AIOEVT run bash -c 'timeout 20 "$AIOEVT" top --interval 10ms >/dev/full 3>&-'
	expect "status" "$status" 1
	expect "stderr" "$output" "aioevt: standard output: No space left on device"
}

@test "top refuses what it cannot do" {
	run_usage top a b
	run_usage top 'a b'
	run_usage top --interval 9ms
	expect_match "stderr" "$errors" '*--interval "9ms"*10ms*'
	run_usage top --interval x
	head -c 10000 /dev/urandom >"$BUS_FILE"
	chmod 600 "$BUS_FILE"
	run_aioevt 6 top --once --interval 10ms
	expect "lines" "$(wc -l <"$ERR")" 1
}

# ---- the terminal -------------------------------------------------------------------

tmux() {
	command tmux -S "$BATS_TEST_TMPDIR/tmux" -f /dev/null "$@" 3>&-
}

# open_terminal COLUMNS LINES: with a shell
open_terminal() {
	command -v tmux >/dev/null || skip "no tmux"
	LC_ALL=C.UTF-8 tmux new-session -d -x "$1" -y "$2" "exec env ENV= PS1='shell> ' sh"
	tmux set-option -g remain-on-exit on
	until_true on_screen '*shell>*'
}

close_terminal() {
	tmux kill-server || true
}

# Also when a test failed.
eval "$(declare -f teardown | sed '1s/teardown/teardown_bus/')"
teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/tmux" ] || close_terminal 2>/dev/null
	teardown_bus
}

screen() {
	tmux capture-pane -p
}

on_screen() {
	# shellcheck disable=SC2053
	[[ $(screen) == $1 ]]
}

not_on_screen() {
	! on_screen "$1"
}

enter() {
	tmux send-keys -l "$1"
	tmux send-keys Enter
}

# The pane: whether it shows the other screen, and a cursor.
modes() {
	tmux display-message -p '#{alternate_on} #{cursor_flag}'
}

modes_are() {
	[ "$(modes)" = "$1" ]
}

# start_top ARGS: in the terminal, whose screen was empty
start_top() {
	enter "stty -g >$BATS_TEST_TMPDIR/before; $AIOEVT top --interval 0.1 $*"
	until_true on_screen 'bus *'
	until_true modes_are "1 0"
}

# The terminal is as it was: the shell's screen, its cursor and its modes.
is_restored() {
	until_true modes_are "0 1"
	enter 'echo "status $?"'
	until_true on_screen "*status $1"$'\n'"shell>*"
	enter "stty -g >$BATS_TEST_TMPDIR/after; echo writ''ten"
	until_true on_screen '*written*'
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "top on a terminal refreshes in place, and q restores it" {
	run_aioevt emit e.one
	open_terminal 80 24
	start_top
	until_true on_screen "$(this_bus): 1 event, 0.0 records/s, every 100ms*
EVENT *RATE/S * RECORDS *LISTENERS *RELIABLE * LAG * PID  BAR
e.one *0.0 *1 * 0 *0 *- *-
q quit  s by rate  n by name"
	run_aioevt emit e.two
	until_true on_screen "*: 2 events*
e.two *0.0 *1 * 0 *0 *- *-*"
	expect "one table" "$(screen | grep -c ^EVENT)" 1
	tmux send-keys q
	is_restored 0
	expect_match "screen" "$(screen)" 'shell> stty *'
	close_terminal
}

@test "top on a terminal draws a bar for each event, and sorts by rate or name" {
	open_terminal 100 24
	enter "while [ -d $AIOEVT_DIR ]; do $AIOEVT emit b; $AIOEVT emit c; $AIOEVT emit b; done &"
	run_aioevt emit a
	start_top --interval 2
	# Twice as often as c, so before it.
	until_true on_screen "*
b * ####################
c * ####*
a *0.0*"
	tmux send-keys n
	until_true on_screen "*BAR
a *0.0*
b *"
	tmux send-keys s
	until_true on_screen "*BAR
b * ####################
*"
	tmux send-keys q
	until_true modes_are "0 1"
	enter "kill %1; wait; echo all en''ded"
	until_true on_screen '*all ended*'
	close_terminal
}

@test "top fits the window, also when its size changes" {
	local i long=x

	for i in 1 2 3 4 5 6 7 8 9; do
		run_aioevt emit "event.$i"
	done
	open_terminal 80 24
	start_top
	until_true on_screen '*event.9 *'
	tmux resize-window -x 30 -y 6
	until_true on_screen "bus *
EVENT *RATE/S  RECORDS
event.1 *0.0        1
event.2 *0.0        1
... 7 more
q quit  s by rate  n by name"
	tmux resize-window -x 8 -y 3
	until_true on_screen $'bus '*$'\n'*$'\nq quit'*
	tmux resize-window -x 2 -y 1
	until_true modes_are "1 0"
	tmux resize-window -x 120 -y 30
	until_true on_screen '*event.9 *0.0 *'
	long=$(printf 'n%.0s' {1..100})
	run_aioevt emit "$long"
	until_true on_screen '*nnn~ *0.0 *'
	expect "wide" "$(screen | awk 'length($0) > 120' | wc -l)" 0
	tmux send-keys q
	is_restored 0
	close_terminal
}

@test "a signal ends top, and the terminal is restored" {
	run_aioevt emit e
	open_terminal 80 24
	start_top
	tmux send-keys C-c
	is_restored 130
	enter clear
	until_true on_screen 'shell>'
	start_top
	pkill -TERM -P "$(tmux display-message -p '#{pane_pid}')" -x aioevt
	is_restored 143
	close_terminal
}

@test "top is stopped and continued like others" {
	run_aioevt emit e
	open_terminal 80 24
	start_top
	tmux send-keys C-z
	until_true on_screen '*Stopped*shell>*'
	expect "modes" "$(modes)" "0 1"
	enter fg
	until_true modes_are "1 0"
	until_true on_screen 'bus *e *0.0*'
	tmux send-keys q
	until_true modes_are "0 1"
	close_terminal
}

@test "an error ends top, and is told on the restored terminal" {
	run_aioevt emit e
	open_terminal 80 24
	start_top
	chmod 666 "$BUS_FILE"
	until_true on_screen '*aioevt: bus *'
	is_restored 7
	close_terminal
}

@test "top shows names that would upset a terminal with their characters escaped" {
	run_aioevt emit $'left\u202eright'
	run_aioevt emit $'wide\u6f22\u5b57'
	open_terminal 80 24
	start_top
	until_true on_screen '*left\\u202eright *0.0*'
	until_true on_screen $'*wide\u6f22\u5b57 *0.0*'
	# In the same columns, as the terminal counts.
	expect "rows" "$(tmux capture-pane -p | grep -E '^(left|wide)' | wc -l)" 2
	tmux send-keys q
	until_true modes_are "0 1"
	close_terminal
}

@test "NO_COLOR: no attribute is set" {
	run_aioevt emit e
	open_terminal 80 24
	start_top
	expect_match "with attributes" "$(tmux capture-pane -pe)" *$'\e[1m'*
	tmux send-keys q
	until_true modes_are "0 1"
	enter 'NO_COLOR=1; export NO_COLOR; clear'
	start_top
	expect "without" "$(tmux capture-pane -pe | grep -c $'\e')" 0
	tmux send-keys q
	until_true modes_are "0 1"
	close_terminal
}

@test "a terminal that knows no control sequences gets plain tables" {
	run_aioevt emit e
	open_terminal 80 24
	enter "TERM=dumb $AIOEVT top --interval 0.1"
	until_true on_screen '*EVENT *RATE/S *
e *
EVENT *'
	expect "modes" "$(modes)" "0 1"
	tmux send-keys C-c
	close_terminal
}
