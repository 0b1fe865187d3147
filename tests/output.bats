#!/usr/bin/env bats
# How records are printed: templates, NUL instead of newlines, times, and what ends quietly.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# shows EXPECTED ARGS: what "wait" prints of the first record of e; NULs as "|"
shows() {
	run_aioevt wait e --after 0 --timeout 0 "${@:2}"
	expect "stdout of ${*:2}" "$(tr '\0' '|' <"$OUT"; echo .)" "$1."
}

@test "a template: fields, arguments by position and by key" {
	local json

	run_aioevt emit e text 5 -2.5 ':=[1,"a"]' 'k=two words' 'n:=null' seq=t a.b-c=d
	shows $'e 1 text 5 -2.5 [1,"a"]\n' --format '{event} {seq} {0} {1} {2} {3}'
	shows $'two words null d d\n' --format '{k} {n} {a.b-c} {kwargs.a.b-c}'
	shows $'0 ["text",5,-2.5,[1,"a"]]\n' --format '{missed} {args}'
	shows $'{"k":"two words","n":null,"seq":"t","a.b-c":"d"}\n' --format '{kwargs}'
	# a field is before a key of its name
	shows $'t\n' --format '{kwargs.seq}'
	run_aioevt wait e --after 0 --timeout 0 --json
	json=$output
	shows "$json"$'\n' --format '{json}'
	shows "$(sed 's/.*"time":\([0-9]*\).*/\1/' <<<"$json")"$'\n' --format '{time_ns}'
}

@test "a template: what is not there is empty" {
	run_aioevt emit e a
	shows $'a,,,,.\n' --format '{0},{1},{99999999999999999999999999},{none},{kwargs.a b}.'
}

@test "a template: text and bytes as they are, newlines, braces and backslashes" {
	run_aioevt emit e $'a\nb\t"\'\\' $'\xff\xfe' '{0}'
	shows $'a\nb\t"\'\\ \xff\xfe {0}\n' --format '{0} {1} {2}'
	shows $'{0}}{ä\n\t|\\{0}\n' --format '{{0}}}}{{ä\n\t\0\\{2}'
	run_aioevt emit e --json '{"kwargs":{"odd key":"x","0":"zero"}}'
	run_aioevt wait e --after 1 --timeout 0 --format '{kwargs.odd key}{kwargs.0}{0}'
	expect "odd keys" "$output" xzero
}

# refused COLUMN TEMPLATE
refused() {
	run_usage wait e --timeout 0 --format "$2"
	expect_match "stderr" "$errors" "aioevt: --format \"*\", column $1: *"
}

@test "a template that is wrong is refused, with the column" {
	refused 1 '{'
	refused 3 'aä{event'
	refused 5 'a{0}}'
	refused 1 '{0{1}'
	refused 2 ' {}'
	refused 2 '{a b}'
	refused 6 '{0} {-1}'
	refused 11 '{kwargs.}x{'
	refused 4 '{0}\'
	refused 4 '{0}\q'
	run_usage wait e --timeout 0 --format nonsense
	expect_match "stderr" "$errors" '*not plain, json or shell*template*'
	run_usage wait e --timeout 0 --format ''
}

@test "times are of RFC 3339, in local time or UTC, and the same moment" {
	local ns zone form

	run_aioevt emit e
	shows '' --format plain
	run_aioevt wait e --after 0 --timeout 0 --format '{time_ns}'
	ns=$output
	for zone in UTC Asia/Kolkata America/St_Johns; do
		TZ=$zone run_aioevt wait e --after 0 --timeout 0 --format '{time}'
		expect "$zone" "$output" "$(TZ=$zone date -d "@$((ns / 1000000000))" \
			+"%Y-%m-%dT%H:%M:%S.$(printf %09d $((ns % 1000000000)))%:z")"
		expect "$zone back" "$(date -d "$output" +%s%N)" "$ns"
		TZ=$zone run_aioevt wait e --utc --after 0 --timeout 0 --format '{time}'
		form='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$'
		[[ $output =~ $form ]]
		expect "$zone, UTC back" "$(date -d "$output" +%s%N)" "$ns"
	done
}

@test "-0 ends values and records with NUL, whatever they hold" {
	run_aioevt emit e --json '{"args":["a\nb","c\u0000d",{"$bytes":"AP8="},5],"kwargs":{"k":"\n"}}'
	shows $'a\nb|"c\\u0000d"|{"$bytes":"AP8="}|5|k=\n|' -0
	shows $'1|a\nb|"c\\u0000d"|{"$bytes":"AP8="}|5|k=\n|' --null --print-seq
	shows $'a\nb,"c\\u0000d"|' -0 --format '{0},{1}'
	# without it they are as they are
	shows $'c|d\n' --format '{1}'
	run_aioevt wait e --after 0 --timeout 0 --json
	shows "$output|" --json -0
	run_aioevt 64 wait e -0 --format shell
	run_aioevt 64 wait e --format shell -0
	expect_match "stderr" "$errors" 'aioevt: --null beside --format shell: *'
	expect "lines on stderr" "$(wc -l <"$ERR")" 1
}

@test "records that were missed are told once: by the template, or on stderr" {
	run_aioevt emit --help
	[[ $output == *--lines* ]] || skip "no emit --lines"
	seq 1030 | run_aioevt emit --lines e
	run_aioevt wait e --after 1 --timeout 0 --format '{seq} {missed}'
	expect_match "stdout" "$output" '* [1-9]*'
	expect "stderr" "$errors" ""
	run_aioevt wait e --after 1 --timeout 0 --format '{seq}'
	expect_match "stderr" "$errors" '*records before number * were missed'
	expect "lines" "$(wc -l <"$ERR")" 1
}

@test "who reads no further hears nothing, and the status is 1" {
	local i status

	run_aioevt emit e
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	for i in "list" "list --json" "wait e --after 0 --timeout 0 --json" "doctor" "doctor --json" \
		"emit --print-seq e"; do
		exec 7<>"$BATS_TEST_TMPDIR/pipe"
		exec 8>"$BATS_TEST_TMPDIR/pipe" 7<&-
		status=0
		# shellcheck disable=SC2086
		"$AIOEVT" $i >&8 2>"$ERR" 3>&- || status=$?
		exec 8>&-
		expect "$i: status" "$status" 1
		expect "$i: stderr" "$(cat "$ERR")" ""
	done
}
