# SPDX-License-Identifier: MIT
# Completion of aioevt(1) for fish. Commands and options are asked of "aioevt COMMAND --help",
# events of the bus.

# Each option in the help on standard input: name, what it takes, description.
function __aioevt_options
    awk '/^ +-/ {
        n = 0
        for (i = 1; i <= NF && $i ~ /^-/; i++) {
            sub(/,$/, "", $i)
            arg = $i ~ /[^[]=/ ? $i : ""
            sub(/[^=]*=/, "", arg); sub(/\]$/, "", arg)
            sub(/\[?=.*/, "", $i)
            names[++n] = $i
        }
        text = ""
        for (; i <= NF; i++)
            text = text " " $i
        for (i = 1; i <= n; i++)
            print names[i] "\t" arg "\t" substr(text, 2)
    }'
end

function __aioevt_commands
    aioevt --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'
end

function __aioevt_buses
    set -l dir /dev/shm
    set -q AIOEVT_DIR; and set dir $AIOEVT_DIR
    for file in $dir/aioevt.(id -u).*
        string replace -r '.*/aioevt\.\d+\.' '' -- $file
    end
end

# __aioevt_argument OPTION KIND VALUE
function __aioevt_argument
    switch "$argv[1]=$argv[2]"
        case '-b=*' '--bus=*'
            __aioevt_buses
        case '--format=*'
            printf '%s\n' plain json shell
        case '--on-busy=*'
            printf '%s\n' queue drop restart coalesce
        case '--on-long=*'
            printf '%s\n' fail skip cut
        case '*=GROUP'
            __fish_complete_groups
        case '*=FILE*'
            __fish_complete_path $argv[3]
        case '*=SIGNAL'
            printf '%s\n' TERM INT HUP QUIT USR1 USR2 KILL
        case '*=PID'
            __fish_complete_pids
    end
end

function __aioevt
    set -l words (commandline -opc)[2..-1]
    set -l cur (commandline -ct)
    set -l help (aioevt --help 2>/dev/null)
    set -l options (string join \n -- $help | __aioevt_options)
    set -l bus
    set -l command
    set -l open
    set -l n 0
    set -l ended
    for i in (seq (count $words))
        set -l word $words[$i]
        if test -n "$open"
            contains -- $open -b --bus; and set bus --bus $word
            set open
        else if test "$word" = --; and not set -q ended[1]
            if string match -q -- '*-- COMMAND*' "$help[1]"
                set -e words[1..$i]
                complete -C (string join ' ' -- (string escape -- $words) "$cur")
                return
            end
            set ended 1
        else if string match -q -- '-*' $word; and not set -q ended[1]
            string match -q -- '--bus=*' $word; and set bus $word
            string match -rq -- '^'(string escape --style=regex -- $word)'\t[^\t]' $options
            and set open $word
        else if not set -q command[1]
            set command $word
            set help (aioevt $command --help 2>/dev/null)
            set options (string join \n -- $help | __aioevt_options)
        else
            set n (math $n + 1)
        end
    end

    if test -n "$open"
        set -l kind (string match -- $open\t'*' $options | string split \t)[2]
        __aioevt_argument $open "$kind" $cur
    else if string match -q -- '--*=*' $cur; and not set -q ended[1]
        set -l parts (string split -m 1 = -- $cur)
        set -l kind (string match -- $parts[1]\t'*' $options | string split \t)[2]
        __aioevt_argument $parts[1] "$kind" $parts[2] | string replace -r '^' -- "$parts[1]="
    else if string match -q -- '-*' $cur; and not set -q ended[1]
        string replace -r '\t.*\t' \t -- $options
    else if not set -q command[1]; or test "$command" = help
        __aioevt_commands
    else if string match -rq 'NAME|PATTERN|EVENT' -- "$help[1]"
        and test "$command" != emit -o $n = 0
        aioevt $bus list 2>/dev/null | awk 'NR > 1 { print $1 }'
    end
end

complete -c aioevt -f -a '(__aioevt)'
