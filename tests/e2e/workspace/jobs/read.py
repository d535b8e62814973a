"""One day of a city, rounded."""

import json
import os

from lib.rounding import rounded

with open(os.environ["DATABUILD_REQUEST"], encoding="utf-8") as file:
    request = json.load(file)
(output,) = request["outputs"]
(raw,) = request["inputs"]["raw"]
with open(raw["path"], encoding="utf-8") as file:
    values = dict(line.strip().split(",") for line in file)
with open(output["path"], "w", encoding="utf-8") as file:
    file.write(rounded(values[output["keys"]["date"]]) + "\n")
