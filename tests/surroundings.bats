#!/usr/bin/env bats
# The program when its bus file is replaced, removed, cut off or of another format.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# put HEX OFFSET: bytes into the bus file
put() {
	printf "$1" | dd of="$BUS_FILE" bs=1 seek="$2" conv=notrunc status=none
}

# refused STATUS: by all commands, on one line that names the file
refused() {
	local i

	for i in "emit e" "wait e --timeout 0" "list"; do
		# shellcheck disable=SC2086
		run_aioevt "$1" $i
		expect "$i: lines" "$(wc -l <"$ERR")" 1
		expect_match "$i" "$errors" "aioevt: bus \"$AIOEVT_BUS\": *"
		expect "$i: stdout" "$output" ""
	done
}

@test "a bus that is cut off under a wait is trouble, not a signal" {
	local size

	for size in 0 100000; do
		rm -f "$BUS_FILE"
		start_aioevt wait e --timeout 20
		until_listening e
		truncate -s "$size" "$BUS_FILE"
		end_aioevt 1
		expect_match "stderr" "$errors" \
			"aioevt: bus \"$AIOEVT_BUS\": the bus file is damaged or truncated"
		expect "stdout" "$output" ""
		refused 6
	done
}

@test "a bus that is removed under a wait is made anew, and the event is heard" {
	start_aioevt wait e --timeout 20
	until_listening e
	rm "$BUS_FILE"
	run_aioevt emit e news
	end_aioevt
	expect "stdout" "$output" news
}

@test "a bus that is replaced under a wait by what is none is trouble" {
	local make

	for make in mkfifo "ln -s /dev/null"; do
		rm -f "$BUS_FILE"
		start_aioevt wait e --timeout 20
		until_listening e
		# at once, or the wait makes a bus in between
		$make "$AIOEVT_DIR/other"
		mv -T "$AIOEVT_DIR/other" "$BUS_FILE"
		end_aioevt 1
		expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": *"
		expect "stdout" "$output" ""
		refused 7
	done
}

@test "a socket is no bus" {
	perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		bind($s, pack_sockaddr_un($ARGV[0])) or die' "$BUS_FILE"
	refused 7
}

@test "an older or newer format, an unknown flag, an empty file, a sparse one" {
	local size version

	run_aioevt emit e
	size=$(stat -c %s "$BUS_FILE")
	version=$(od -An -tu1 -j8 -N1 "$BUS_FILE")
	put "\\$(printf %03o $((version - 1)))" 8
	refused 6
	put "\\$(printf %03o $((version + 1)))" 8
	refused 6
	put "\\$(printf %03o "$version")" 8
	run_aioevt emit e
	put '\001' 12
	refused 6
	put '\000' 12
	# a flag that need not be known
	put '\001' 16
	run_aioevt emit e
	put '\000' 16
	expect "records" "$("$AIOEVT" list --json | jq .records)" 3

	truncate -s 0 "$BUS_FILE"
	refused 6
	truncate -s "$size" "$BUS_FILE"
	refused 6
}
