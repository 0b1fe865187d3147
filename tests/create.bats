#!/usr/bin/env bats
# aioevt create: buses and events of the size, and for whom, they were asked for.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# expect_bus FIELD VALUE: what doctor tells of the bus
expect_bus() {
	expect "$1" "$("$AIOEVT" doctor --json 3>&- | jq ".limits.$1")" "$2"
}

# expect_exists WITH: status 1, and the difference
expect_exists() {
	expect "stdout" "$output" ""
	expect "stderr" "$errors" "aioevt: $BUS_FILE exists$1"
}

@test "create makes a bus, silently, and once is as good as twice" {
	run_aioevt create
	expect "output" "$output$errors" ""
	expect "mode" "$(stat -c %a "$BUS_FILE")" 600
	run_aioevt emit e x
	run_aioevt create
	expect "output" "$output$errors" ""
	run_aioevt get e
	expect "stdout" "$output" x
}

@test "create --depth and others: the bus is made so" {
	run_aioevt create --depth 100 --slot 200 --max-payload 1M --events 100 --listeners 100 \
		--budget 2M --large-budget 3M
	expect "output" "$output$errors" ""
	# Each as aioevt_shm(3) rounds it up.
	expect_bus depth 128
	expect_bus inline 232
	expect_bus payload 1048576
	expect_bus events 128
	expect_bus listeners 128
	expect_bus rings 2097152
	expect_bus bodies 3145728
	run_aioevt emit e
	run_aioevt list --json
	expect "depth" "$(jq .depth <<<"$output")" 128
}

@test "create of a bus that exists: what was asked for is compared" {
	run_aioevt create --depth 100 --slot 200 --max-payload 4096 --budget 1M
	run_aioevt create --depth 100 --slot 200 --max-payload 4K --budget 1048576
	run_aioevt create --depth 65
	run_aioevt create --slot 232 --mode 0600
	run_aioevt create
	run_aioevt 1 create --depth 129
	expect_exists " with --depth 128, not 256"
	run_aioevt 1 create --depth 64
	expect_exists " with --depth 128, not 64"
	run_aioevt 1 create --slot 233
	expect_exists " with --slot 232, not 296"
	run_aioevt 1 create --depth 128 --max-payload 4097
	expect_exists " with --max-payload 4096, not 4097"
	run_aioevt 1 create --events 64
	expect_exists " with --events 4096, not 64"
	run_aioevt 1 create --listeners 64
	expect_exists " with --listeners 1024, not 64"
	run_aioevt 1 create --budget 1G
	expect_exists " with --budget 1048576, not 1073741824"
	run_aioevt 1 create --large-budget 4K
	expect_match "stderr" "$errors" "*exists with --large-budget *, not 4096"
}

@test "create --exclusive: the bus must be new" {
	local i pids=() n=0

	run_aioevt create --exclusive --depth 16
	expect "output" "$output$errors" ""
	run_aioevt 1 create --exclusive --depth 16
	expect_exists " already"
	# Of many at once, one makes it.
	rm "$BUS_FILE"
	for i in 1 2 3 4 5 6; do
		"$AIOEVT" create --exclusive 2>/dev/null 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		! wait "$i" || n=$((n + 1))
	done
	expect "made it" "$n" 1
}

@test "create --group and --mode" {
	local group

	group=$(id -g)
	run_aioevt create --group "$group" --mode 0660
	expect "mode and group" "$(stat -c '%a %g' "$BUS_FILE")" "660 $group"
	run_aioevt create --group "$group"
	run_aioevt 1 create --mode 0600
	expect_exists " with --mode 0660, not 0600"
	rm "$BUS_FILE"
	run_aioevt create --mode 600
	expect "mode" "$(stat -c %a "$BUS_FILE")" 600
	run_aioevt 1 create --group "$group"
	expect_exists " with --mode 0600, not 0660"
}

@test "create --group: another group, and another user" {
	local as=(runuser -u nobody -g nogroup --) group status=0

	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 777 "$AIOEVT_DIR"
	"${as[@]}" "$AIOEVT" --version 3>&- || skip "cannot run it as another user"
	group=$(id -g nobody)
	run_aioevt create --group "$group"
	run_aioevt 1 create --group 0
	expect_exists " with --group $group, not 0"
	# The other user finds it by its owner, and that it is what he asks for.
	"${as[@]}" timeout 20 "$AIOEVT" create -b "0:$AIOEVT_BUS" --depth 1024 3>&-
	"${as[@]}" timeout 20 "$AIOEVT" emit -b "0:$AIOEVT_BUS" e 7 3>&-
	run_aioevt get e
	expect "stdout" "$output" 7
	# But he cannot make one for me, nor for a group that he is not in.
	"${as[@]}" timeout 20 "$AIOEVT" create -b "0:none" 2>"$ERR" 3>&- || status=$?
	expect "status" "$status" 1
	expect_match "stderr" "$(cat "$ERR")" 'aioevt: bus "0:none": *: No such file or directory'
	status=0
	"${as[@]}" timeout 20 "$AIOEVT" create -b mine --group 0 2>"$ERR" 3>&- || status=$?
	expect "status" "$status" 7
	expect "files" "$(ls "$AIOEVT_DIR")" "$(basename "$BUS_FILE")"
}

@test "create EVENT: with as many records at least" {
	local i

	run_aioevt create --depth 8
	run_aioevt create a.b c
	expect "output" "$output$errors" ""
	run_aioevt list --json
	expect "events" "$(jq -c '[.event, .records, .depth]' <<<"$output")" '["a.b",0,8]
["c",0,8]'
	run_aioevt create c --depth 20
	run_aioevt list --json c
	expect "depth" "$(jq .depth <<<"$output")" 32
	# It is deep enough: nothing changes.
	for i in 8 20 32; do
		run_aioevt create c --depth "$i"
		run_aioevt list --json c
		expect "depth" "$(jq .depth <<<"$output")" 32
	done
	for i in {1..33}; do
		"$AIOEVT" emit c "$i" 3>&-
	done
	run_aioevt get c -n 100
	expect "records" "$output" "$(seq 2 33)"
	# Without a bus: one as any other command makes.
	rm "$BUS_FILE"
	run_aioevt create new
	run_aioevt list --json
	expect "depth" "$(jq .depth <<<"$output")" 1024
}

@test "create EVENT that was made deeper too often" {
	local i

	run_aioevt create --depth 8
	for i in 16 32 64 128 256 512 1024; do
		run_aioevt create e --depth "$i"
	done
	run_aioevt 1 create e --depth 2048
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$errors" 'aioevt: event "e": it was made deeper 7 times already*'
	run_aioevt create e --depth 1024
	run_aioevt rm e
	run_aioevt create e --depth 2048
}

@test "create: no space, and no directory" {
	run_aioevt create --budget 64K --depth 8
	start_aioevt wait a --timeout 20
	until_listening a
	run_aioevt 1 create b --depth 1048576
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$errors" 'aioevt: bus *, event "b": no space left: the 65536 bytes*'
	AIOEVT_DIR=$AIOEVT_DIR/none run_aioevt 1 create
	expect_match "stderr" "$errors" "aioevt: bus *: No such file or directory"
	run_aioevt emit a
	end_aioevt
}

@test "create: tables, or a ring, that do not fit into the file system" {
	local i

	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs -o size=1m none "$0"' "$AIOEVT_DIR" 2>/dev/null ||
		skip "cannot mount"
	for i in "--events 32768:of 32768 events and 64 listeners take *, a ring of 8 records 1024;" \
		"--depth 131072:of 64 events *, a ring of 131072 records 16777216;"; do
		# shellcheck disable=SC2016,SC2086
		run unshare -m sh -c 'mount -t tmpfs -o size=8m none "$AIOEVT_DIR" &&
			"$0" "$@" 3>&-; status=$?; ls "$AIOEVT_DIR"; exit $status' \
			"$AIOEVT" create ${i%%:*}
		expect "status" "$status" 1
		expect_match "output" "$output" "aioevt: $BUS_FILE: no space: at least, the tables \
${i#*:} $AIOEVT_DIR has 8388608 of 8388608 bytes free"
	done
}

@test "create: values out of their limits" {
	local i

	for i in "--depth 7 8 1048576" "--depth 1048577 8 1048576" "--depth 0 8 1048576" \
		"--depth x 8 1048576" "--events 63 64 32768" "--events 32769 64 32768" \
		"--listeners 8193 64 8192"; do
		# shellcheck disable=SC2086
		set -- $i
		run_usage create "$1" "$2"
		expect "stderr" "$errors" "aioevt: $1 \"$2\": not a number from $3 to $4"
	done
	for i in "--slot 0 1 65512" "--slot 65513 1 65512" "--slot 64K 1 65512" "--slot -1 1 65512" \
		"--max-payload 16385K 1 16777216" "--max-payload 1T 1 16777216" \
		"--max-payload 99999999999G 1 16777216" "--budget 65535 65536 8796093022208" \
		"--budget 8193G 65536 8796093022208" "--budget K 65536 8796093022208" \
		"--large-budget 4095 4096 8796093022208"; do
		# shellcheck disable=SC2086
		set -- $i
		run_usage create "$1" "$2"
		expect "stderr" "$errors" "aioevt: $1 \"$2\": not a number of bytes, or one with \
K, M or G, from $3 to $4"
	done
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

@test "create: modes that a bus does not have, and options that do not go together" {
	local i

	for i in 0640 0666 777 0 rw 00600; do
		run_usage create --mode "$i"
		expect "stderr" "$errors" \
			"aioevt: --mode \"$i\": not 0600, or 0660 with --group; a bus has no other"
	done
	run_usage create --mode 0660
	expect "stderr" "$errors" 'aioevt: --mode "0660": needs --group'
	run_usage create --mode 0600 --group 0
	for i in "--mode 0600" "--slot 8" "--max-payload 8" "--events 64" "--listeners 64" \
		"--budget 64K" "--large-budget 64K" "--exclusive"; do
		# shellcheck disable=SC2086
		run_usage create e $i
		expect "stderr" "$errors" \
			"aioevt: ${i% *} is of a bus, not of the event \"e\"; create the bus first"
	done
	run_usage create 'a.*'
	run_usage create ok 'a b'
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}
