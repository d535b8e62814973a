#!/bin/sh
# roll_up_test PATH_OF_ROLL_UP: the roll-up's numbers, and that bad input leaves a message and no output.
set -eu

roll_up=$PWD/$1
work=$TEST_TMPDIR
header=city,date,min_f,mean_f,max_f,hours
out="$work/out.csv"
DATABUILD_REPORT="$work/report.jsonl"
export DATABUILD_REPORT

die() {
    echo "FAILED: $*" >&2
    exit 1
}

# request PATH...: writes a request with these days, laid out over several lines, and other inputs around them.
request() {
    list=
    for path in "$@"; do
        list="$list${list:+, }{\"dataset\": \"daily_stats\", \"keys\": {\"path\": \"no\"}, \"path\": \"$path\"}"
    done
    DATABUILD_REQUEST="$work/request.json"
    export DATABUILD_REQUEST
    cat >"$DATABUILD_REQUEST" <<JSON
{"format": 1, "outputs": [{"path": "/nowhere"}], "days": [{"path": "/no"}],
 "inputs": {"other": [{"path": "/no\"[{"}], "days": [$list], "more": [{"path": null}]}, "params": {}}
JSON
}

# expect_failure WORDS: rolls up, which must fail with WORDS on stderr, write nothing, and report nothing.
expect_failure() {
    rm -f "$out" "$DATABUILD_REPORT"
    if "$roll_up" seattle 2010-03 "$out" 2>"$work/stderr"; then die "no failure: $1"; fi
    grep -qF -- "$1" "$work/stderr" || die "expected '$1', got: $(cat "$work/stderr")"
    if [ -e "$out" ] || [ -e "$DATABUILD_REPORT" ]; then die "something was written: $1"; fi
}

printf '%s\nseattle,2010-03-13,-4.5,10.00,50.0,24\n' "$header" >"$work/day 1.csv"
printf '%s\nseattle,2010-03-14,40.0,40.00,61.3,12\n' "$header" >"$work/2.csv"

request "$work/day 1.csv" "$work/2.csv"
"$roll_up" seattle 2010-03 "$out"
# The mean is weighed by hours: (10 * 24 + 40 * 12) / 36.
printf 'city,month,min_f,mean_f,max_f,days,hours\nseattle,2010-03,-4.5,20.00,61.3,2,36\n' >"$work/expected"
cmp "$work/expected" "$out" || die "not the expected month: $(cat "$out")"
printf '{"type":"done","dataset":"monthly","rows":1,"metadata":{"days":2,"hours":36}}\n' >"$work/expected"
cmp "$work/expected" "$DATABUILD_REPORT" || die "not the expected report"

request
expect_failure "names no day"
request "$work/2.csv" "$work/2.csv"
expect_failure "a second row for 2010-03-14"
request "$work/absent.csv"
expect_failure "absent.csv: cannot be read"
request "$work/two\\nlines.csv"
expect_failure "cannot stand on one line"
printf '%s\nportland,2010-03-14,1,1,1,24\n' "$header" >"$work/bad.csv"
request "$work/2.csv" "$work/bad.csv"
expect_failure "not a day of seattle in 2010-03"
printf '%s\nseattle,2010-03-15,1,warm,1,24\n' "$header" >"$work/bad.csv"
expect_failure "not a number: warm"
printf 'date,city\n' >"$work/bad.csv"
expect_failure "unexpected header"
printf '%s\n' "$header" >"$work/bad.csv"
expect_failure "expected a header and one row"
printf '{"inputs": {"days": [{"path": "/a' >"$DATABUILD_REQUEST"
expect_failure "the request ends"
