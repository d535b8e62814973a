#!/bin/sh
# Rolls one city's daily statistics up to a month.
#
#     roll_up CITY MONTH OUT
#
# What a template can say comes in as arguments. The days are many, so their paths are read from the request. The mean
# weighs each day by its hours: the day the clocks go forward has only 23.
set -eu
LC_ALL=C
export LC_ALL

fail() {
    printf 'roll_up: %s\n' "$*" >&2
    exit 1
}

[ $# -eq 3 ] || fail "usage: roll_up CITY MONTH OUT"
[ -n "${DATABUILD_REQUEST-}" ] || fail "DATABUILD_REQUEST is not set; this program is started by DataBuild"

paths=$(awk -v input=days -f "${RUNFILES_DIR:-$0.runfiles}/_main/lib/request_paths.awk" "$DATABUILD_REQUEST") ||
    fail "cannot read the request $DATABUILD_REQUEST"
[ -n "$paths" ] || fail "the request names no day to roll up"

row=$(printf '%s\n' "$paths" | awk -F , -v city="$1" -v month="$2" '
    function fail(message) {
        print "roll_up: " path ": " message > "/dev/stderr"
        failed = 1
        exit 1
    }
    function number(text) {
        if (text !~ /^-?[0-9]+(\.[0-9]+)?$/) fail("not a number: " text)
        return text + 0
    }
    {
        path = $0
        lines = 0
        while ((status = (getline line < path)) > 0) {
            lines++
            if (lines == 1) {
                if (line != "city,date,min_f,mean_f,max_f,hours") fail("unexpected header: " line)
                continue
            }
            split(line, field, ",")
            if (field[1] != city || substr(field[2], 1, 7) != month) fail("not a day of " city " in " month ": " line)
            if (field[2] in seen) fail("a second row for " field[2])
            seen[field[2]] = 1
            low = number(field[3]); mean = number(field[4]); high = number(field[5]); n = number(field[6])
            if (!days || low < min) min = low
            if (!days || high > max) max = high
            sum += mean * n
            hours += n
            days++
        }
        if (status < 0) fail("cannot be read")
        if (lines != 2) fail("expected a header and one row, got " lines " lines")
        close(path)
    }
    END {
        if (failed) exit 1
        printf "%s,%s,%.1f,%.2f,%.1f,%d,%d\n", city, month, min, sum / hours, max, days, hours
    }
') || exit 1

printf 'city,month,min_f,mean_f,max_f,days,hours\n%s\n' "$row" >"$3" || fail "cannot write $3"

if [ -n "${DATABUILD_REPORT-}" ]; then
    rest=${row%,*}
    printf '{"type":"done","dataset":"monthly","rows":1,"metadata":{"days":%s,"hours":%s}}\n' \
        "${rest##*,}" "${row##*,}" >>"$DATABUILD_REPORT"
fi
