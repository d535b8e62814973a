#!/bin/sh
wc -c <"$1" >"$2"
