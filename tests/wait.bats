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
	expect "stdout" "$(sed '1,/^AIOEVT_MISSED=/d' <<<"$output")" 'AIOEVT_NARGS=3
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

# in_shells SCRIPT STATUS OUTPUT: by bash, dash and zsh, which have $AIOEVT
in_shells() {
	local i status

	for i in bash dash zsh; do
		command -v "$i" >/dev/null || continue
		status=0
		timeout -s KILL 20 "$i" -c "$1" >"$OUT" 2>"$ERR" 3>&- || status=$?
		cat "$ERR"
		expect "$i, status" "$status" "$2" || return
		expect "$i, stdout" "$(cat "$OUT")" "$3" || return
	done
}

@test "wait --format shell: eval has the status that wait had, and the shell goes on" {
	local i

	export AIOEVT
	run_aioevt emit e x
	seq 1100 | run_aioevt emit --lines many
	while read -r i; do
		in_shells "eval \"\$(\"\$AIOEVT\" ${i%#*})\"; echo \$?" 0 "${i##*# }"
	done <<-END
		wait none --format shell -t 0 # 124
		wait none e --after 0 --count 2 --format shell -t 0 # 124
		wait none --format shell --while-alive 0 # 64
		wait none --format shell -- sh -c "exit 7" # 7
		wait none --format shell -- sh -c 'kill -KILL \$\$' # 137
		wait none --format shell -- no-such-command-anywhere # 127
		wait many --strict --after 1 --format=shell # 3
		wait e --after 0 --for shell # 0
		wait e 'a b' --format shell # 64
		wait e --format shell --no-such-option # 64
		wait --no-such-option e --format=shell # 64
		wait --format shell # 64
		wait e --follow --after 0 --format shell -t 0 # 124
		wait e --cursor-file / --format shell -t 0 # 1
		get none --format shell # 2
		get none --format shell -n 0 # 64
		get e --format shell # 0
	END
	# another format than shell after all: nothing is for eval
	run_aioevt 124 wait none --format shell --json -t 0
	expect "stdout" "$output" ""
}

@test "wait --format shell: a timeout ends a script under set -e" {
	export AIOEVT
	run_aioevt emit e ok host=db1
	in_shells 'set -eu
		eval "$("$AIOEVT" wait e --after 0 --format shell)"
		echo "$AIOEVT_ARG_0 $AIOEVT_KW_host"
		! eval "$("$AIOEVT" wait none --after 0 -t 0 --format shell)"
		if eval "$("$AIOEVT" wait none --after 0 -t 0 --format shell)"; then echo wrong; fi
		eval "$("$AIOEVT" wait none --after 0 -t 0 --format shell)" || echo $?
		eval "$("$AIOEVT" wait none --after 0 -t 0 --format shell)"
		echo wrong' 124 $'ok db1\n124'
}

@test "wait --format shell: no variable of an older record stays" {
	export AIOEVT AIOEVT_ARG_5=stale
	run_aioevt emit e 0 1 2 3 4 5 6 7 8 9 10 host=db1 a-b=1
	run_aioevt emit f last
	in_shells 'IFS=_0
		eval "$("$AIOEVT" wait e --after 0 --format shell)"
		echo "$AIOEVT_NARGS,$AIOEVT_ARG_10,$AIOEVT_KW_host,$AIOEVT_KX_a_2Db"
		AIOEVT_OMITTED=AIOEVT_ARG_1
		eval "$("$AIOEVT" wait f --after 0 --format shell)"
		set | grep -a "^AIOEVT_" | grep -av "_BUS\|_DIR\|_TIME" | tr -d "\47"
		eval "$("$AIOEVT" wait f -t 0 --format shell)"
		set | grep -a "^AIOEVT_" | grep -av "_BUS\|_DIR" || :' 0 "11,10,db1,1
AIOEVT_ARG_0=last
AIOEVT_EVENT=f
AIOEVT_KEYS=
AIOEVT_MISSED=0
AIOEVT_NARGS=1
AIOEVT_NUL=
AIOEVT_SEQ=1"
	# several at once
	run_aioevt emit e k=1
	run_aioevt get e -n 2 --format shell
	expect "of two" "$(bash -euc '. "$0"; echo "${AIOEVT_ARG_0-none} $AIOEVT_KW_k ${AIOEVT_KW_host-none}"' \
		"$OUT")" "none 1 none"
}

@test "wait --format shell: nothing that the environment holds is run" {
	export AIOEVT
	run_aioevt emit e x
	in_shells 'cd "$BATS_TEST_TMPDIR"
		for i in ";touch ran" "\$(touch ran)" "a[\$(touch ran)]" "
touch ran" "*" "-x" "08" "a b" "A  B" "99999999999" "$(printf "\\377")"; do
			AIOEVT_KEYS=$i AIOEVT_NARGS=$i
			eval "$("$AIOEVT" wait e --after 0 --format shell)" || echo wrong
			AIOEVT_KEYS=$i AIOEVT_NARGS=$i
			eval "$("$AIOEVT" wait e -t 0 --format shell)" && echo wrong
		done
		[ ! -e ran ]' 0 ""
	expect "stderr" "$(cat "$ERR")" ""
}

@test "wait --format shell: eval fails when wait was killed" {
	local i

	export AIOEVT
	run_aioevt emit e x
	for i in TERM KILL; do
		in_shells 'eval "$("$AIOEVT" wait e --after 0 --format shell)"
			eval "$(timeout -s '$i' 0.2 "$AIOEVT" wait none --format shell)" && echo wrong
			[ -z "${AIOEVT_ARG_0-}" ]' 0 ""
	done
}

@test "wait --print-seq prints the number first" {
	run_aioevt emit e
	run_aioevt emit e x
	run_aioevt wait e --after 1 --timeout 0 --print-seq
	expect "stdout" "$output" $'2\nx'
	run_aioevt wait e --after 1 --timeout 0 --print-seq --format shell
	expect "stdout" "$(grep -A 1 ^AIOEVT_EVENT= <<<"$output")" $'AIOEVT_EVENT=\'e\'\nAIOEVT_SEQ=2'
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

@test "wait --timeout gives up in time, and names the bus unless it only looked" {
	local start=$EPOCHREALTIME i

	run_aioevt 124 wait e --timeout 0
	expect "output" "$output$errors" ""
	for i in 1ms 0.02 20ms .02s 0.0005m; do
		run_aioevt 124 wait e --timeout "$i"
		expect "stdout" "$output" ""
		expect "stderr" "$errors" "aioevt: timed out on $(this_bus)"
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
