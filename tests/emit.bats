#!/usr/bin/env bats
# aioevt emit: what its words mean as data, and its options.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# What the first record of event "e" holds, as JSON without the record's own members.
data() {
	run_aioevt wait e --after "${1-0}" --json --timeout 0
	output=${output#*'"args":'}
	output='{"args":'${output%',"missed":'*}'}'
}

# emits DATA ARG...
emits() {
	local want=$1
	shift
	run_aioevt emit --print-seq e "$@" || return
	data $((output - 1)) || return
	expect "data" "$output" "$want"
}

@test "emit --after: not before it is due, though the command has ended" {
	local start status=0

	start=$(date +%s%N)
	run_aioevt emit e --after 300ms late
	expect "stdout" "$output" ""
	expect "stderr" "$errors" ""
	timeout -s KILL 20 "$AIOEVT" wait e --after 0 --timeout 0 >"$OUT" 2>"$ERR" 3>&- || status=$?
	# On a machine that is busy 300 ms may be over by now.
	[ "$status" = 124 ] || [ $(($(date +%s%N) - start)) -ge 300000000 ]
	run_aioevt wait e --after 0 --timeout 10
	expect "stdout" "$output" "late"
	[ $(($(date +%s%N) - start)) -ge 300000000 ]
	# Nobody waits: the next who comes finds it.
	run_aioevt emit e --after 0.05 later
	sleep 0.1
	run_aioevt wait e --after 1 --timeout 0
	expect "stdout" "$output" "later"
}

@test "emit --after: what is refused" {
	run_aioevt 64 emit e --after soon
	expect "stderr" "$errors" 'aioevt: --after "soon": not a number of seconds, or one with ms, s, m, h, d or w'
	run_aioevt 64 emit e --after 999999999999
	run_aioevt 64 emit e --after 1 --print-seq
	expect_match "stderr" "$errors" "*--print-seq beside --after*"
}

@test "emit without arguments; silent" {
	run_aioevt emit e
	expect "stdout" "$output" ""
	expect "stderr" "$errors" ""
	data
	expect "data" "$output" '{"args":[],"kwargs":{}}'
}

@test "emit types its words" {
	emits '{"args":[true,false,null],"kwargs":{}}' true false null
	emits '{"args":["True","","nil"],"kwargs":{}}' True "" nil
	emits '{"args":[5,0,-5],"kwargs":{}}' 5 0 -5
	emits '{"args":[-2.5,0.5,2.0],"kwargs":{}}' -2.5 0.5 2.0
	emits '{"args":["007","1.10","1e5","+5","-0","-.5"],"kwargs":{}}' \
		007 1.10 1e5 +5 --arg -0 -.5
	emits '{"args":["0x10","inf","1,5"," 5","-1-"],"kwargs":{}}' 0x10 inf 1,5 " 5" -1-
}

@test "emit takes each word behind NAME that starts with - and a digit or point for a value" {
	local i

	for i in -0 -00 -0x -5 -05 -.5 -. -0.4 -1-; do
		run_aioevt emit e "$i" <<<"not read"
		run_aioevt get e
		expect "stdout" "$output" "$i"
	done
	emits '{"args":["-0","-0"],"kwargs":{}}' -0 --string -0
	emits '{"args":["-0"],"kwargs":{"a":"-0"}}' --print-seq -- -0 a=-0
	run_aioevt emit -- f -0
	run_aioevt get f
	expect "stdout" "$output" -0
	printf '%s\n' 0.4 -0.4 1.2 3.3 | while read -r i; do
		run_aioevt emit temp "$(printf %.0f "$i")"
	done
	run_aioevt get temp -n 9
	expect "stdout" "$output" $'0\n-0\n1\n3'
}

@test "emit refuses a number before NAME, but for the option -0" {
	local i

	for i in -5 -.5 -00 -0e; do
		run_usage emit "$i" e
		expect_match "stderr" "$errors" "aioevt: \"$i\" before NAME: *"
	done
	printf 'x\0' | run_aioevt emit -0 e
	run_aioevt get e
	expect "stdout" "$output" x
	run_aioevt list
	expect "events" "$(wc -l <"$OUT")" 2
}

@test "emit takes integers from -2^63 to 2^64-1" {
	emits '{"args":[-9223372036854775808,18446744073709551615],"kwargs":{}}' \
		-9223372036854775808 18446744073709551615
	emits '{"args":["-9223372036854775809","18446744073709551616"],"kwargs":{}}' \
		-9223372036854775809 18446744073709551616
}

@test "emit takes KEY=VALUE" {
	emits '{"args":["x"],"kwargs":{"b":5,"bb":"","a-b.c":"d=e"}}' bb= b=5 a-b.c=d=e x
	emits '{"args":[],"kwargs":{"_":-1.5}}' _=-1.5
}

@test "emit takes what has no key before = as text" {
	emits '{"args":["a b=c","=x","http://x?y=1","1a=2","ä=1",":x=1","a:b=c"],"kwargs":{}}' \
		'a b=c' '=x' 'http://x?y=1' '1a=2' 'ä=1' ':x=1' 'a:b=c'
}

@test "emit takes KEY:=JSON and :=JSON" {
	emits '{"args":[[1,2.0,{"a":null}]],"kwargs":{"k":{"x":"y"}}}' \
		':=[1,2.0,{"a":null}]' 'k:={"x":"y"}'
	emits '{"args":[18446744073709551615,{"$bytes":"/w=="},{"$float":"NaN"}],"kwargs":{}}' \
		:=18446744073709551615 ':={"$bytes":"/w=="}' ':={"$float":"NaN"}'
}

@test "emit --string makes ARGs and VALUEs text" {
	emits '{"args":["5","true"],"kwargs":{"a":"-2.5"}}' 5 --string true a=-2.5
}

@test "emit --arg takes a text as it is, in its place" {
	emits '{"args":[1,"a=b","5",":=1","",2],"kwargs":{}}' \
		1 --arg a=b --arg 5 --arg=:=1 --arg '' 2
}

@test "emit --arg may come before NAME" {
	run_aioevt emit --arg first e second
	data
	expect "data" "$output" '{"args":["first","second"],"kwargs":{}}'
}

@test "emit takes words that are not UTF-8 as bytes" {
	emits '{"args":[{"$bytes":"/2E="},"ä"],"kwargs":{"k":{"$bytes":"w6QA"}}}' \
		$'\xff''a' 'ä' 'k:={"$bytes":"w6QA"}'
	emits '{"args":[{"$bytes":"7aCA"}],"kwargs":{}}' --arg $'\xed\xa0\x80'
}

@test "emit takes options after NAME and none after --" {
	emits '{"args":["--print-seq","-x","--","-5x",-5],"kwargs":{"a":1}}' \
		a=1 -- --print-seq -x -- -5x -5
}

@test "emit --json takes the whole data" {
	emits '{"args":[1],"kwargs":{"a":2}}' --json '{"args":[1],"kwargs":{"a":2}}'
	emits '{"args":[],"kwargs":{}}' --json '{}'
}

@test "what wait --json prints, emit --json emits again" {
	local first record

	first='{"args":[1,1.0,-0.0,1e300,18446744073709551615,{"$float":"-Infinity"},'
	first+='{"$bytes":"AP8="},{"$$bytes":"AP8="},"a\u0000\n\"ä",[[],{}]],'
	first+='"kwargs":{"$$x":{"$$$y":null}}}'
	emits "$first" --json "$first"
	run_aioevt wait e --after 0 --json --timeout 0
	record=$output
	emits "$first" --json "$record"
}

@test "emit --stdin adds standard input as the last argument" {
	printf 'a\nb\n' | emits '{"args":[1,2,"a\nb\n"],"kwargs":{"k":3}}' --stdin 1 k=3 2
	printf 'a\0b' | emits '{"args":["a\u0000b"],"kwargs":{}}' --stdin
	printf '\377' | emits '{"args":[{"$bytes":"/w=="}],"kwargs":{}}' --stdin
	emits '{"args":[""],"kwargs":{}}' --stdin </dev/null
}

@test "emit --stdin up to the limit of the bus" {
	run_aioevt emit --stdin e < <(head -c 16777000 /dev/zero | tr '\0' x)
	run_aioevt wait e --after 0 --timeout 0
	expect "bytes" "$(wc -c <"$OUT")" 16777001

	run_aioevt 1 emit --stdin e < <(head -c 16777217 /dev/zero)
	expect_match "stderr" "$errors" "aioevt: standard input is over the 16777216 bytes*"
	run_aioevt 1 emit --stdin e < <(head -c 16777216 /dev/zero)
	expect_match "stderr" "$errors" "aioevt: the data takes 16777224 bytes*16777216*"
	run_aioevt emit --print-seq e
	expect "nothing was emitted meanwhile" "$output" 2
}

@test "emit --print-seq prints numbers that grow" {
	run_aioevt emit --print-seq e
	expect "first" "$output" 1
	run_aioevt emit e --print-seq
	expect "second" "$output" 2
}

@test "emit refuses what it cannot take for data" {
	run_usage emit e a=1 b=2 a=3
	expect_match "stderr" "$errors" '*key "a" is given twice'
	run_usage emit e ':={'
	run_usage emit e 'a:=18446744073709551616'
	expect_match "stderr" "$errors" \
		'*18446744073709551616 is not from -9223372036854775808 to 18446744073709551615'
	run_usage emit e ':={"a":1,"a":2}'
	run_usage emit e ':={"$set":1}'
	run_usage emit e ':=[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]'
	expect_match "stderr" "$errors" '*14 in one argument*'
	run_usage emit e --json '[1]'
	run_usage emit e --json '{"argv":[]}'
	run_usage emit e --json '{}' 5
	run_usage emit e --json '{}' --arg 5
	run_usage emit e --json '{}' --stdin
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}
