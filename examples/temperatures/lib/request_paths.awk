# Prints the path of every partition of one input, one per line, from the JSON request of a DataBuild job.
#
#     awk -v input=days -f request_paths.awk "$DATABUILD_REQUEST"
#
# Reads JSON in any layout, and refuses what a line-based tool could not hand on: a path with an escaped control
# character. Exits 1 when the request is not a JSON object or a partition of the input has no path.

function fail(message) {
    print "request_paths: " message > "/dev/stderr"
    failed = 1
    exit 1
}

function skip_space() {
    while (index(" \t\n\r", substr(text, at, 1)) && at <= size) at++
}

# Reads the string that starts at `at`.
function read_string(    value, c) {
    value = ""
    for (at++; at <= size; at++) {
        c = substr(text, at, 1)
        if (c == "\"") { at++; return value }
        if (c == "\\") {
            c = substr(text, ++at, 1)
            # Only the escapes of a printable character stay themselves when the backslash goes.
            if (!index("\"\\/", c)) c = "\\" c
        }
        value = value c
    }
    fail("the request ends inside a string")
}

# Reads the value at `at`; `where` is the way to it, as in `/inputs/days/[]/path`.
function read_value(where,    c, name) {
    skip_space()
    c = substr(text, at, 1)
    if (c == "{" || c == "[") {
        at++
        for (;;) {
            skip_space()
            name = "[]"
            if (substr(text, at, 1) == "}" || substr(text, at, 1) == "]") { at++; return }
            if (substr(text, at, 1) == ",") { at++; skip_space() }
            if (c == "{") {
                if (substr(text, at, 1) != "\"") fail("the request is not JSON: no name at character " at)
                name = read_string()
                skip_space()
                if (substr(text, at, 1) != ":") fail("the request is not JSON: no colon at character " at)
                at++
            }
            if (at > size) fail("the request ends too early")
            read_value(where "/" name)
        }
    }
    if (c == "\"") name = read_string()
    else {
        for (name = ""; at <= size && !index(",]} \t\n\r", substr(text, at, 1)); at++) name = name substr(text, at, 1)
        if (name == "") fail("the request is not JSON: no value at character " at)
        if (where == wanted) fail("a partition of input " input " has no path")
    }
    if (where == wanted) {
        if (index(name, "\\")) fail("a path that cannot stand on one line: " name)
        print name
    }
}

{ text = text $0 "\n" }

END {
    if (failed) exit 1
    wanted = "/inputs/" input "/[]/path"
    size = length(text)
    at = 1
    skip_space()
    if (substr(text, at, 1) != "{") fail("the request is not a JSON object")
    read_value("")
}
