# The sum of the numbers on standard input.
add() { awk '{ sum += $1 } END { printf "%.1f\n", sum }'; }
