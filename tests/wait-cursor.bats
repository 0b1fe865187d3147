#!/usr/bin/env bats
# aioevt wait --cursor-file: each record once over many runs, and none unnoticed.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

cursor() {
	CURSOR=$BATS_TEST_TMPDIR/cursor.d/cursor
	mkdir -p "${CURSOR%/*}"
}

emit_each() {
	local i

	for i in "$@"; do
		# shellcheck disable=SC2086
		run_aioevt emit $i
	done
}

# takes EXPECTED NAME...: what a run takes of those that are there; then the file is alone in
# its directory.
takes() {
	local expected=$1

	shift
	run_aioevt 124 wait "$@" --cursor-file "$CURSOR" --follow --timeout 0 --json
	expect "taken" "$(jq -c '.args[0]' "$OUT" | tr '\n' ' ')" "$expected" || return
	expect "files" "$(ls -A "${CURSOR%/*}")" "${CURSOR##*/}"
}

@test "wait --cursor-file begins with what is new, and goes on from there" {
	cursor
	emit_each "e 1" "e 2"
	takes "" e
	expect "file" "$(cat "$CURSOR")" "2 e"
	takes "" e
	emit_each "e 3" "e 4"
	run_aioevt wait e --cursor-file "$CURSOR" --timeout 0
	expect "stdout" "$output" 3
	expect_match "file" "$(cat "$CURSOR")" "3 e 1*"
	run_aioevt wait e --cursor-file "$CURSOR" --timeout 0
	expect "stdout" "$output" 4
	takes "" e
	emit_each "e 5" "e 6" "e 7"
	takes "5 6 7 " e
}

@test "wait --cursor-file: a loop of waits beside an emitter takes each record once" {
	local i

	cursor
	takes "" e
	(for ((i = 0; i < 40; i++)); do "$AIOEVT" emit e "$i" 3>&-; done) &
	for ((i = 0; i < 40; i += 4)); do
		run_aioevt wait e --cursor-file "$CURSOR" --timeout 15 --count 4
		expect "stdout" "$output" "$i
$((i + 1))
$((i + 2))
$((i + 3))"
	done
	wait
}

@test "wait --cursor-file writes the place at once, before any record" {
	cursor
	emit_each "e 1"
	start_aioevt wait e --cursor-file "$CURSOR" --timeout 10
	until_true test -s "$CURSOR"
	until_listening e
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	emit_each "e 2"
	takes "2 " e
}

@test "wait --cursor-file with patterns: events that come later are taken from their first" {
	cursor
	emit_each "a.x 1" "b.x 2" "a.y 3"
	takes "" 'a.*'
	expect "file" "$(sort "$CURSOR")" $'0 a.*\n1 a.x\n1 a.y'
	emit_each "a.new 4" "a.new 5" "b.x 6" "a.x 7" "b.new 8"
	takes "4 5 7 " 'a.*'
	takes "" 'a.*'
	# Names under a pattern that was followed, and such as were not.
	emit_each "a.late 9" "b.late 10"
	takes "9 " a.late b.late
	takes "" 'b.*'
	emit_each "b.x 11" "b.later 12" "a.x 13"
	takes "11 12 " 'b.*'
	takes "13 " 'a.*' 'b.*' a.x
	expect "file" "$(cut -d' ' -f1,2 "$CURSOR" | sort)" \
		$'0 a.*\n0 b.*\n1 a.late\n1 a.y\n1 b.late\n1 b.later\n1 b.new\n2 a.new\n3 a.x\n3 b.x'
}

@test "wait --cursor-file: what --where skips is done with, what --all leaves is not" {
	cursor
	takes "" a b
	emit_each "a 1" "a 2" "a 3" "b 4"
	run_aioevt wait --all a b --cursor-file "$CURSOR" --timeout 10
	expect "stdout" "$output" $'1\n4'
	run_aioevt 124 wait --all a b --cursor-file "$CURSOR" --timeout 0
	expect "stdout" "$output" 2
	run_aioevt 124 wait a b --cursor-file "$CURSOR" --timeout 0 --where 'args[0] > 3'
	takes "" a b
}

@test "wait --cursor-file with --or-last begins with the newest" {
	cursor
	emit_each "a 1" "a 2" "b.x 3" "b.x 4"
	takes "2 4 " a 'b.*' c --or-last
	takes "" a 'b.*' c --or-last
	emit_each "c 5" "c 6" "a 7"
	takes "5 6 7 " a 'b.*' c --or-last
}

@test "wait --cursor-file and numbers that go on in a new event: the gap is missed" {
	cursor
	emit_each "e 1"
	takes "" e
	emit_each "e 2" "e 3"
	run_aioevt rm e
	emit_each "e 4"
	run_aioevt 3 wait e --cursor-file "$CURSOR" --timeout 0 --strict --json
	expect "args and missed" "$(jq -c '[.args[0], .missed]' <<<"$output")" "[4,2]"
	# Removed, and nothing there yet: the same, by name and by pattern.
	emit_each "e 5"
	run_aioevt rm e
	start_aioevt wait e --cursor-file "$CURSOR" --timeout 10 --json --strict
	until_listening e
	emit_each "e 6"
	end_aioevt 3
	expect "args and missed" "$(jq -c '[.args[0], .missed]' <<<"$output")" "[6,1]"
	emit_each "e 7"
	run_aioevt wait e --cursor-file "$CURSOR" --timeout 0 --strict
}

@test "wait --cursor-file and a pattern: what was missed is told exactly" {
	cursor
	emit_each "e 1"
	takes "" '>'
	emit_each "e 2" "e 3"
	run_aioevt rm e
	emit_each "e 4" "f 5"
	run_aioevt 124 wait '>' --cursor-file "$CURSOR" --timeout 0 --json --follow
	expect "args and missed" "$(jq -c '[.args[0], .missed]' <<<"$output" | tr '\n' ' ')" \
		"[4,2] [5,0] "
	# An event that came later, whose numbers go on from one before it.
	run_aioevt rm e f
	rm "$CURSOR"
	takes "" '>'
	emit_each "e 6" "f 7"
	run_aioevt wait '>' --cursor-file "$CURSOR" --timeout 0 --json --strict
	expect "args and missed" "$(jq -c '[.args[0], .missed]' <<<"$output")" "[6,0]"
}

@test "wait --cursor-file and a bus made anew, which numbers from 1" {
	local i j

	cursor
	emit_each "e 1" "e 2" "e 3"
	takes "" e '>'
	# Fewer records than there were, as many, and more.
	for i in "4" "5 6 7" "8 9 10 11 12"; do
		rm "$BUS_FILE"
		for j in $i; do
			emit_each "e $j"
		done
		takes "$i " e '>'
	done
}

@test "wait --cursor-file: a bus that is removed while it waits" {
	cursor
	emit_each "e 1" "e 2"
	start_aioevt wait e 'f.*' --cursor-file "$CURSOR" --follow --timeout 15 --json
	until_listening e
	emit_each "e 3"
	until_true grep -q '"args":\[3\]' "$OUT.bg"
	rm "$BUS_FILE"
	emit_each "e 4" "f.x 5"
	until_true grep -q '"args":\[5\]' "$OUT.bg"
	kill -TERM "$BACKGROUND"
	end_aioevt 143
	expect "args" "$(jq -c '.args[0]' <<<"$output" | tr '\n' ' ')" "3 4 5 "
	emit_each "e 6" "f.y 7"
	takes "6 7 " e 'f.*'
}

@test "wait --cursor-file: odd names, and files by hand" {
	cursor
	emit_each 'a"b$(x) 0' 'a"b$(x) 1' 'é.`id` 2'
	echo '1 a"b$(x)' >"$CURSOR"
	takes "1 " 'a"b$(x)'
	printf '0 é.`id`\n' >"$CURSOR"
	takes "2 " 'é.`id`'
	# Its mode stays, and a link to it.
	chmod 640 "$CURSOR"
	ln -s cursor "$CURSOR.link"
	run_aioevt 124 wait e --cursor-file "$CURSOR.link" --timeout 0
	expect "mode" "$(stat -c %a "$CURSOR")" 640
	[ -L "$CURSOR.link" ]
	grep -q '^0 e$' "$CURSOR"
	# Also if there is no file yet, which then has the mode that new files have.
	rm "$CURSOR"
	(umask 027 && run_aioevt 124 wait e --cursor-file "$CURSOR.link" --timeout 0)
	[ -L "$CURSOR.link" ]
	expect "mode" "$(stat -c %a "$CURSOR")" 640
	expect "file" "$(cat "$CURSOR")" "0 e"
}

@test "1: a cursor file that another run uses, which is named" {
	local i

	cursor
	ln -s "$CURSOR" "$CURSOR.link"
	start_aioevt wait e --follow --cursor-file "$CURSOR" --timeout 20
	until_listening e
	for i in 1 2; do
		run_aioevt 1 wait e --cursor-file "$CURSOR.link" --timeout 0
		expect "stderr" "$errors" \
			"aioevt: --cursor-file \"$CURSOR.link\": in use by process $BACKGROUND"
		# and after the file was replaced
		run_aioevt emit e "$i"
		until_true grep -q "^$i e" "$CURSOR"
	done
	run_aioevt 1 wait e --cursor-file "$CURSOR" --timeout 0
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	run_aioevt 124 wait e --cursor-file "$CURSOR" --timeout 0
	expect "entries" "$(ls "${CURSOR%/*}" | xargs)" "cursor cursor.link"
}

@test "wait --cursor-file: a read-only file is replaced by one, and locked too" {
	local dir=$AIOEVT_DIR/cursor.d as=() i status=0

	mkdir -m 777 "$dir"
	: >"$dir/cursor"
	chmod 444 "$dir/cursor"
	if [ "$(id -u)" -eq 0 ]; then
		chmod 777 "$AIOEVT_DIR"
		chown 12345 "$dir/cursor"
		as=(setpriv --reuid 12345 --regid 12345 --clear-groups)
		"${as[@]}" "$AIOEVT" --version 3>&- >/dev/null || skip "cannot run it as another user"
	fi
	for i in 0 1; do
		"${as[@]}" "$AIOEVT" --bus other emit e "$i" 3>&-
		timeout 20 "${as[@]}" "$AIOEVT" --bus other wait e --cursor-file "$dir/cursor" \
			--timeout 0 >"$OUT" 2>"$ERR" 3>&- || status=$?
	done
	expect "stderr" "$(cat "$ERR")" ""
	expect "first status" "$status" 124
	expect "stdout" "$(cat "$OUT")" 1
	expect "mode" "$(stat -c %a "$dir/cursor")" 444
	# COMMAND runs while the file is locked, by the descriptor of one that could be written.
	status=0
	# shellcheck disable=SC2016
	timeout 20 "${as[@]}" "$AIOEVT" --bus other wait e --cursor-file "$dir/cursor" --timeout 15 -- \
		sh -c '"$0" --bus other wait e --cursor-file "$1" --timeout 0; exit $((100 + $?))' \
		"$AIOEVT" "$dir/cursor" 2>"$ERR" 3>&- || status=$?
	expect "status" "$status" 101
	expect_match "stderr" "$(cat "$ERR")" '*: in use by process *'
	rm -r "$dir" "$AIOEVT_DIR"/*.other
}

@test "1: a cursor file that cannot be read or written, before waiting" {
	local i

	cursor
	mkdir "$CURSOR"
	run_aioevt 1 wait e --cursor-file "$CURSOR"
	expect "stderr" "$errors" "aioevt: --cursor-file \"$CURSOR\": not a regular file"
	rmdir "$CURSOR"
	for i in x '1' '1 ' 'x e' '-1 e' '1 e x' '1 e 2 3' '1 a..b' '99999999999999999999 e' ' 1 e' \
		$'1 e\n\n2 f' '+1 e'; do
		printf '%s\n' "$i" >"$CURSOR"
		run_aioevt 1 wait e --cursor-file "$CURSOR"
		expect_match "stderr" "$errors" "aioevt: --cursor-file \"$CURSOR\": line [12] is not *"
		expect "file" "$(cat "$CURSOR")" "$i"
	done
	printf '1 e\0f\n' >"$CURSOR"
	run_aioevt 1 wait e --cursor-file "$CURSOR"
	run_aioevt 1 wait e --cursor-file "$BATS_TEST_TMPDIR/none/cursor"
	expect_match "stderr" "$errors" "aioevt: --cursor-file * cannot be written: No such file *"
	ln -s none/cursor "$CURSOR.link"
	run_aioevt 1 wait e --cursor-file "$CURSOR.link"
	expect_match "stderr" "$errors" "aioevt: --cursor-file * cannot be written: No such file *"
	[ -L "$CURSOR.link" ]
	run_aioevt 1 wait e --cursor-file /proc/cursor
	run_aioevt 1 wait e --cursor-file /dev/null
	# One that can be made, but not replaced: its name leaves no room for another beside it.
	printf -v i '%0250d' 0
	run_aioevt 1 wait e --cursor-file "$BATS_TEST_TMPDIR/$i"
	expect_match "stderr" "$errors" "aioevt: --cursor-file * cannot be written: File name too *"
	run_aioevt list e --json
	expect "listeners" "$(jq .listeners <<<"$output")" 0
}

@test "wait --cursor-file: output that fails is not handed out" {
	local status

	cursor
	emit_each "e 1"
	takes "" e
	emit_each "e 2"
	timeout 20 "$AIOEVT" wait e --cursor-file "$CURSOR" >/dev/full 2>"$ERR" 3>&- && status=0 || status=$?
	expect "status" "$status" 1
	takes "2 " e
}
